import type Docker from "dockerode";
import type { Logger } from "pino";
import { engineFailure } from "../engine-failure.js";
import type { Time } from "../time.js";
import { inspectImage, removeImage } from "./engine-images.js";

/** Source: reference behaviour §6.4. */
const attempts = 3;
const retryMs = 3_000;

export interface ImageUsersOptions {
  /** Whether images are removed at all. */
  readonly enabled: boolean;
  /** How long an image stays after its last task. */
  readonly delayMs: number;
}

interface UsedImage {
  readonly owners: Set<string>;
  /** What tasks have called it. */
  readonly names: Set<string>;
  /** Whether it came here for a task: what the operator has put on the host is not ours to remove. */
  isOurs: boolean;
  removal: AbortController | undefined;
}

export interface ImageUsersDeps {
  docker(): Promise<Docker>;
  readonly time: Time;
  readonly log: Logger;
  readonly options: ImageUsersOptions;
}

/** Who uses which image, and the removal of those that nobody does. */
export class ImageUsers {
  readonly #deps: ImageUsersDeps;
  /** By id. */
  readonly #images = new Map<string, UsedImage>();
  /** By id: their end has to be awaited, since the engine may still show the image meanwhile. */
  readonly #removing = new Map<string, Promise<void>>();

  constructor(deps: ImageUsersDeps) {
    this.#deps = deps;
  }

  /** The removal of the image that goes on, if there is one. */
  removing(id: string): Promise<void> | undefined {
    return this.#removing.get(id);
  }

  /** @returns whether it came here for a task. */
  use(id: string, name: string, owner: string, isOurs: boolean): boolean {
    const image = this.#images.get(id) ?? { owners: new Set(), names: new Set(), isOurs: false, removal: undefined };
    this.#images.set(id, image);
    image.removal?.abort();
    image.removal = undefined;
    image.owners.add(owner);
    image.names.add(name);
    image.isOurs ||= isOurs;
    return image.isOurs;
  }

  release(owner: string): void {
    for (const [id, image] of this.#images) {
      if (image.owners.delete(owner) && image.owners.size === 0) this.#unused(id, image);
    }
  }

  /** What is removed already is removed to the end; nothing else is. */
  async close(): Promise<void> {
    for (const { removal } of this.#images.values()) removal?.abort();
    this.#images.clear();
    await Promise.all(this.#removing.values());
  }

  #unused(id: string, image: UsedImage): void {
    const { options, time } = this.#deps;
    if (!image.isOurs || !options.enabled) {
      this.#images.delete(id);
      return;
    }
    const removal = new AbortController();
    image.removal = removal;
    void time.sleep(options.delayMs, removal.signal).then(() => {
      if (removal.signal.aborted) return;
      this.#images.delete(id);
      const removed = this.#remove(id, [...image.names]).finally(() => this.#removing.delete(id));
      this.#removing.set(id, removed);
    });
  }

  /** Without force: what a container of anybody uses stays, and so does an image with names that no task has used. */
  async #remove(id: string, names: readonly string[]): Promise<void> {
    const { log, time } = this.#deps;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#tryRemove(id, names);
        log.info({ image: id, names }, "an image that no task uses any more was removed");
        return;
      } catch (error) {
        const { status, message } = engineFailure(error);
        if (status === 409) log.info({ image: id, names, reason: message }, "an image is used by others and stays");
        else if (attempt === attempts) log.warn({ image: id, names, reason: message }, "an image could not be removed");
        if (status === 409 || attempt === attempts) return;
      }
      await time.sleep(retryMs);
    }
  }

  async #tryRemove(id: string, names: readonly string[]): Promise<void> {
    const docker = await this.#deps.docker();
    let isNamed = false;
    for (const name of names) {
      // A name may be another image's by now.
      if ((await inspectImage(docker, name))?.Id !== id) continue;
      isNamed = true;
      await removeImage(docker, name);
    }
    const left = isNamed ? undefined : await inspectImage(docker, id);
    if (left && (left.RepoTags ?? []).length === 0) await removeImage(docker, id);
  }
}
