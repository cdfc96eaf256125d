import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TaskDirs } from "../../drivers/driver.js";
import { holdDirectory } from "../allocs/fs/held.js";
import type { Owner } from "../allocs/owner.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Artifact } from "../model/artifact.js";
import { ArtifactError } from "./artifact-error.js";
import type { ArtifactOptions } from "./artifact-options.js";
import { type Fetched, fetchSource } from "./fetch-source.js";
import { installDirectory, installFile } from "./install.js";
import { Slots } from "./slots.js";
import { parseSource } from "./source.js";

export interface FetcherDeps {
  /** Where downloads lie until they are whole. The agent's alone; what an earlier agent left in it is removed. */
  readonly directory: string;
  readonly options: ArtifactOptions;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface FetchOrder {
  /** With its references replaced. */
  readonly artifact: Artifact;
  readonly dirs: TaskDirs;
  /** Names from the allocation's directory. */
  readonly destination: readonly string[];
  readonly owner: Owner | null;
  readonly home: string;
  /** Told now and then how far it has come. */
  readonly progress: (bytes: number, total: number | undefined) => void;
  readonly signal: AbortSignal;
}

const firstRetryMs = 500;
const maxRetryAfterMs = 60_000;

/** Fetches artifacts: into a directory of the agent's first, and whole or not at all into the task's. */
export class ArtifactFetcher {
  readonly #deps: FetcherDeps;
  readonly #slots: Slots;
  #cleared: Promise<void> | null = null;

  constructor(deps: FetcherDeps) {
    this.#deps = deps;
    this.#slots = new Slots(deps.options.maxConcurrent);
  }

  /** @throws ArtifactError; the signal's reason when it is aborted. */
  async fetch(order: FetchOrder): Promise<void> {
    const { options } = this.#deps;
    const release = await this.#slots.take(order.signal);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), options.timeoutMs).unref();
    const signal = AbortSignal.any([order.signal, late.signal]);
    try {
      await this.#untilDone({ ...order, signal });
    } catch (error) {
      if (late.signal.aborted && !order.signal.aborted)
        throw new ArtifactError(`it was not there after ${options.timeoutMs / 1000} s`, "restart", { cause: error });
      throw error;
    } finally {
      clearTimeout(timer);
      release();
    }
  }

  async #untilDone(order: FetchOrder): Promise<void> {
    const { options, clock, log } = this.#deps;
    for (let tries = 0; ; tries++) {
      try {
        return await this.#try(order);
      } catch (error) {
        order.signal.throwIfAborted();
        if (!(error instanceof ArtifactError) || error.remedy !== "retry" || tries >= options.retries) throw error;
        const ms = Math.min(error.retryAfterMs ?? firstRetryMs * 2 ** tries, maxRetryAfterMs);
        log.info({ reason: error.message, tries: tries + 1, ms }, "an artifact is tried again");
        await clock.sleep(ms, order.signal);
        order.signal.throwIfAborted();
      }
    }
  }

  async #try(order: FetchOrder): Promise<void> {
    const { artifact, owner, signal, home, progress } = order;
    const source = parseSource(artifact.GetterSource, artifact.GetterOptions ?? {});
    const staging = await this.#stage();
    try {
      const fetched = await fetchSource(source, { artifact, staging, owner, home, options: this.#deps.options, progress, signal });
      await install(fetched, order);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  /** A new directory. Nobody can list its parent, which git, with the task's rights, has to pass. */
  async #stage(): Promise<string> {
    const { directory } = this.#deps;
    this.#cleared ??= rm(directory, { recursive: true, force: true }).then(async () => {
      await mkdir(directory, { mode: 0o711, recursive: true });
    });
    await this.#cleared;
    const staging = join(directory, randomBytes(16).toString("hex"));
    await mkdir(staging, { mode: 0o700 });
    return staging;
  }
}

async function install(fetched: Fetched, { dirs, destination, owner }: FetchOrder): Promise<void> {
  const root = await holdDirectory(dirs.alloc);
  try {
    if (fetched.kind === "directory") await installDirectory(fetched.path, { root, names: destination, owner });
    else
      await installFile(fetched.directory, fetched.name, {
        root,
        names: [...destination, ...(fetched.as === null ? [] : [fetched.as])],
        owner,
      });
  } finally {
    await root.close();
  }
}
