import { DiskError } from "./errors.js";
import { MemoryStore, type MemoryStoreDeps } from "./memory-store.js";

/** A store whose disk can be told to fail or to stall, for fault tests. All else is as with a real one. */
export class FailingStore extends MemoryStore {
  readonly #disk: { failure: DiskError | undefined; stall: Promise<void> | undefined };

  constructor(deps: MemoryStoreDeps) {
    const disk: { failure: DiskError | undefined; stall: Promise<void> | undefined } = { failure: undefined, stall: undefined };
    super(deps, async () => {
      await disk.stall;
      if (disk.failure) throw disk.failure;
    });
    this.#disk = disk;
  }

  /** From now on the disk refuses writes: commits that may be refused are, all others wait. */
  failWrites(reason = "database or disk is full"): void {
    this.#disk.failure = new DiskError(reason);
  }

  /** The disk takes writes again: what waits is written with the next try. */
  heal(): void {
    this.#disk.failure = undefined;
  }

  /** Holds every write, as a slow disk does, until the returned function is called. */
  stall(): () => void {
    let release = (): void => {};
    this.#disk.stall = new Promise((resolve) => {
      release = () => {
        this.#disk.stall = undefined;
        resolve();
      };
    });
    return release;
  }
}
