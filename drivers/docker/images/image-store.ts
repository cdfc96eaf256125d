import { createHash } from "node:crypto";
import type Docker from "dockerode";
import type { Logger } from "pino";
import { DriverError } from "../../driver.js";
import { engineFailure } from "../engine-failure.js";
import type { Time } from "../time.js";
import type { AuthConfig } from "./auth-config.js";
import { inspectImage } from "./engine-images.js";
import { ImagePull } from "./image-pull.js";
import { BadReference, type ImageReference, parseImageReference } from "./image-reference.js";
import { ImageUsers, type ImageUsersOptions } from "./image-users.js";
import { loadArchive } from "./load-archive.js";
import { isRecoverable, PullFailure } from "./pull-failure.js";
import { pullImage } from "./pull-image.js";
import { type AuthSources, findAuth, type TaskAuth } from "./registry-auth.js";

/** An image may be removed between being found and being asked for, but not again and again. */
const lookAttempts = 5;

export interface ImageStoreOptions {
  readonly gc: ImageUsersOptions;
  readonly auth: AuthSources;
  /** A pull whose bytes do not come for so many milliseconds is given up. */
  readonly stallMs: number;
  /** How often a pull tells its tasks how far it is, in milliseconds. Source: reference behaviour §6.4, two minutes. */
  readonly progressMs: number;
}

export interface ImageStoreDeps {
  /** Without a timeout of its own: a pull takes as long as it does. */
  docker(): Promise<Docker>;
  readonly log: Logger;
  readonly time: Time;
  readonly options: ImageStoreOptions;
}

export interface ImageRequest {
  readonly image: string;
  readonly auth?: TaskAuth;
  /** Whether a task does without credentials that can not be had. */
  readonly authSoftFail?: boolean;
  readonly forcePull: boolean;
  /** Absolute path of an archive to take the image from. */
  readonly load?: string;
  /** How long this task waits for a pull, in milliseconds; 0 is as long as it goes on. */
  readonly pullTimeoutMs: number;
  /** Who uses the image until `release`. */
  readonly owner: string;
}

export type ImageConfig = Docker.ImageInspectInfo["Config"];

export interface FoundImage {
  readonly id: string;
  readonly config: ImageConfig;
  /** Whether it came here for a task, and is removed after its last one. */
  readonly isOurs: boolean;
}

/** The images of tasks: brought here when they are missing, kept while they are used, removed a while after. */
export class ImageStore {
  readonly #deps: ImageStoreDeps;
  readonly #users: ImageUsers;
  /** By image and credentials. */
  readonly #pulls = new Map<string, ImagePull>();
  readonly #closed = new AbortController();

  constructor(deps: ImageStoreDeps) {
    this.#deps = deps;
    this.#users = new ImageUsers({ docker: () => deps.docker(), time: deps.time, log: deps.log, options: deps.options.gc });
  }

  /**
   * Makes sure that an image is here, and that it stays until `release`.
   *
   * @param onProgress is told what a task's Driver events say; not at all when the image is here.
   * @param signal ends this task's wait, and nobody else's.
   * @throws DriverError that names the image; nothing is held then.
   */
  async ensure(request: ImageRequest, onProgress: (message: string) => void, signal?: AbortSignal): Promise<FoundImage> {
    const reference = parse(request.image);
    let before = await this.#inspect(reference);
    let found = request.forcePull || reference.tag === "latest" ? undefined : before;
    for (let attempt = 0; attempt < lookAttempts; attempt++) {
      const removal = found && this.#users.removing(found.Id);
      if (found && !removal) {
        if (signal?.aborted) throw new DriverError(`Failed to pull \`${request.image}\`: the task does not want it any more`, false);
        // What was here before is the operator's, whether it was pulled again or not.
        const isOurs = this.#users.use(found.Id, reference.name, request.owner, found.Id !== before?.Id);
        return { id: found.Id, config: found.Config, isOurs };
      }
      if (removal) {
        await removal;
        before = undefined;
      } else if (request.load !== undefined) await this.#load(reference, request, request.load, signal);
      else await this.#pull(reference, request, onProgress, signal);
      found = await this.#inspect(reference);
    }
    throw new DriverError(`Failed to pull \`${request.image}\`: it is removed as soon as it is here`, true);
  }

  /** Takes up the use of an image by a task that an earlier agent started. */
  hold(owner: string, image: string, found: Pick<FoundImage, "id" | "isOurs">): void {
    this.#users.use(found.id, parse(image).name, owner, found.isOurs);
  }

  /** The owner uses no image any more. Not to be called while its `ensure` goes on. */
  release(owner: string): void {
    this.#users.release(owner);
  }

  /** Ends all pulls; images that wait for their removal stay. */
  async close(): Promise<void> {
    this.#closed.abort();
    const pulls = [...this.#pulls.values()];
    for (const pull of pulls) pull.abort();
    await Promise.all([...pulls.map((pull) => pull.settled), this.#users.close()]);
  }

  async #inspect(reference: ImageReference): Promise<Docker.ImageInspectInfo | undefined> {
    try {
      return await inspectImage(await this.#deps.docker(), reference.name);
    } catch (error) {
      const { status, message } = engineFailure(error);
      throw new DriverError(`Failed to inspect image \`${reference.name}\`: ${message}`, isRecoverable(status, message), { cause: error });
    }
  }

  async #pull(
    reference: ImageReference,
    request: ImageRequest,
    onProgress: (message: string) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    if (reference.registry === "") throw new DriverError(`Failed to pull \`${request.image}\`: there is no image of this id`, false);
    const key = JSON.stringify([reference.canonical, request.auth ? secretKey(request.auth) : "", request.authSoftFail ?? false]);
    onProgress("Downloading image");
    let pull = this.#pulls.get(key);
    if (!pull || pull.isAborted) {
      const started = new ImagePull((abort, tell) => this.#bring(reference, request, abort, tell), this.#deps.time);
      pull = started;
      this.#pulls.set(key, started);
      void started.settled.then(() => {
        if (this.#pulls.get(key) === started) this.#pulls.delete(key);
      });
    }
    if (this.#closed.signal.aborted) pull.abort();
    await pull.wait({ image: request.image, onProgress, timeoutMs: request.pullTimeoutMs, signal });
  }

  /** @throws PullFailure. */
  async #bring(reference: ImageReference, request: ImageRequest, signal: AbortSignal, tell: (message: string) => void): Promise<void> {
    const { time, log, options } = this.#deps;
    const auth = await this.#auth(reference, request);
    const { stallMs, progressMs } = options;
    const docker = await this.#deps.docker();
    await pullImage(docker, reference, { auth, stallMs, progressMs, signal, time, log: log.child({ image: reference.name }), tell });
  }

  async #auth(reference: ImageReference, request: ImageRequest): Promise<AuthConfig | undefined> {
    try {
      return await findAuth(reference.registry, request.auth, this.#deps.options.auth);
    } catch (error) {
      if (request.authSoftFail) return undefined;
      const text = `Failed to find docker auth for repo ${JSON.stringify(reference.repository)}: ${(error as Error).message}`;
      throw new PullFailure(text, false, { cause: error });
    }
  }

  async #load(reference: ImageReference, { image }: ImageRequest, path: string, given?: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.#closed.signal, ...(given ? [given] : [])]);
    const { stallMs } = this.#deps.options;
    await loadArchive(await this.#deps.docker(), { image, name: reference.name, path, stallMs, signal, time: this.#deps.time });
  }
}

function parse(image: string): ImageReference {
  try {
    return parseImageReference(image);
  } catch (error) {
    if (error instanceof BadReference) throw new DriverError(error.message, false, { cause: error });
    throw error;
  }
}

/** Tells credentials apart without keeping them. */
const secretKey = (auth: TaskAuth): string =>
  createHash("sha256")
    .update(JSON.stringify([auth.username, auth.password, auth.email, auth.serverAddress]))
    .digest("hex");
