import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Between attempts to write to a terminal that is full; the kernel does not say when it has room to anyone that Node could ask. */
const retryMs = { first: 1, most: 32 };

/**
 * The way into a terminal whose master is non-blocking. Not by libuv's stream: that writes to a pty's master in a busy loop
 * until all is taken, and a command that does not read its terminal would hold up the whole process (libuv's uv_tty_init).
 */
export class TerminalInput {
  readonly #master: number;
  readonly #isOpen: () => boolean;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /** @param isOpen whether the descriptor is still ours: its number may be another's right after it was closed. */
  constructor(master: number, isOpen: () => boolean) {
    this.#master = master;
    this.#isOpen = isOpen;
  }

  get closed(): boolean {
    return this.#closed || !this.#isOpen();
  }

  /** Resolves when the terminal has taken all of it, or can not any more. */
  write(bytes: Buffer): Promise<void> {
    this.#last = this.#last.then(() => this.#writeAll(bytes));
    return this.#last;
  }

  /** Resolves when all that was written is in the terminal. */
  get drained(): Promise<void> {
    return this.#last;
  }

  close(): void {
    this.#closed = true;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    let wait = retryMs.first;
    for (let at = 0; at < bytes.length && !this.closed; ) {
      const taken = this.#tryWrite(bytes.subarray(at));
      at += taken;
      if (taken > 0) wait = retryMs.first;
      if (at === bytes.length || this.closed) return;
      await pause(wait);
      wait = Math.min(wait * 2, retryMs.most);
    }
  }

  #tryWrite(bytes: Buffer): number {
    try {
      return writeSync(this.#master, bytes);
    } catch (error) {
      // Anything else: the terminal is hung up.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#closed = true;
      return 0;
    }
  }
}
