import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type Docker from "dockerode";
import { DriverError } from "../../driver.js";
import type { Time } from "../time.js";
import { inspectImage } from "./engine-images.js";
import { followEngine } from "./engine-progress.js";
import { PullFailure } from "./pull-failure.js";

/** Lines of what the engine has found in an archive that an error repeats. */
const maxFound = 20;

export interface ArchiveLoad {
  /** As the task has it. */
  readonly image: string;
  /** What the engine is to know it by afterwards. */
  readonly name: string;
  /** Absolute path of the archive. */
  readonly path: string;
  readonly stallMs: number;
  readonly signal: AbortSignal;
  readonly time: Time;
}

/** Brings an image from an archive, as `docker save` makes them. @throws DriverError that names image and archive. */
export async function loadArchive(docker: Docker, load: ArchiveLoad): Promise<void> {
  const { image, name, path, stallMs, signal, time } = load;
  const failed = (why: string, recoverable: boolean, cause?: unknown): DriverError =>
    new DriverError(`Failed to load \`${image}\` from ${path}: ${why}`, recoverable, { cause });
  // A task's directory may hold links to what is not the task's.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: Error) => {
    throw failed(error.message, false, error);
  });
  const found: string[] = [];
  try {
    if (!(await file.stat()).isFile()) throw failed("it is no file", false);
    await followEngine({
      open: (abortSignal, moved) => {
        const archive = file.createReadStream({ autoClose: false });
        archive.on("data", moved);
        archive.pause();
        return docker.loadImage(archive, { abortSignal });
      },
      take: ({ stream }) => {
        if (stream !== undefined && found.length < maxFound) found.push(stream.trim());
        return true;
      },
      stallMs,
      signal,
      time,
    });
  } catch (error) {
    if (error instanceof PullFailure) throw failed(error.message, error.recoverable, error);
    throw error;
  } finally {
    await file.close();
  }
  if (!(await inspectImage(docker, name))) throw failed(`it is not in there; the engine said: ${found.join(", ")}`, false);
}
