/** So many things at once and no more; whoever comes later waits in line. */
export class Slots {
  #free: number;
  readonly #line: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Does the work when there is room, or nothing at all when the signal is aborted before. */
  async use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#take(signal))) return undefined;
    try {
      return await work();
    } finally {
      this.#give();
    }
  }

  /** @returns false when the signal came first. */
  async #take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    return new Promise((resolve) => {
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve(true);
      };
      const leave = (): void => {
        this.#line.splice(this.#line.indexOf(enter), 1);
        resolve(false);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#line.push(enter);
    });
  }

  #give(): void {
    const next = this.#line.shift();
    if (next) next();
    else this.#free++;
  }
}
