import { DiskError } from "./errors.js";
import { MemoryStore, type MemoryStoreDeps } from "./memory-store.js";

/** What the disk of a FailingStore does. */
interface Disk {
  failure: DiskError | undefined;
  stall: Promise<void> | undefined;
  /** For the next writes, one each. */
  readonly next: (Error | undefined)[];
}

/** A store whose disk can be told to fail or to stall, for fault tests. All else is as with a real one. */
export class FailingStore extends MemoryStore {
  readonly #disk: Disk;

  constructor(deps: MemoryStoreDeps) {
    const disk: Disk = { failure: undefined, stall: undefined, next: [] };
    super(deps, async () => {
      await disk.stall;
      const failure = disk.next.shift() ?? disk.failure;
      if (failure) throw failure;
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
    this.#disk.next.splice(0);
  }

  /** What the coming writes throw, one each; undefined lets one pass. */
  failNext(...errors: readonly (Error | undefined)[]): void {
    this.#disk.next.push(...errors);
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
