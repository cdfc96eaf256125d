import type Docker from "dockerode";
import { engineFailure } from "../engine-failure.js";

const callLimitMs = 60_000;

/**
 * @param name or id.
 * @returns undefined when there is no such image.
 * @throws the client's error.
 */
export async function inspectImage(docker: Docker, name: string): Promise<Docker.ImageInspectInfo | undefined> {
  // The types of dockerode do not know the signal here, though all its calls take it.
  const options: Docker.ImageInspectOptions & { readonly abortSignal: AbortSignal } = { abortSignal: AbortSignal.timeout(callLimitMs) };
  return docker.getImage(name).inspect(options).catch(absent);
}

/**
 * Without force: an image that a container uses, or that has other names, stays.
 *
 * @throws the client's error; one with status 409 when it is used.
 */
export async function removeImage(docker: Docker, name: string): Promise<void> {
  await docker
    .getImage(name)
    .remove({ abortSignal: AbortSignal.timeout(callLimitMs) })
    .catch(absent);
}

function absent(error: unknown): undefined {
  if (engineFailure(error).status !== 404) throw error;
  return undefined;
}
