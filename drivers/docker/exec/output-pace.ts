import type { Socket } from "node:net";
import type { Time } from "../time.js";

/** Output that the client has not passed on yet; above it the command has to wait. */
const unackedLimitBytes = 1024 * 1024;
/** How often it is looked whether a command has ended whose client does not read. */
const lookMs = 500;

/** Lets a command's output flow no faster than its client takes it. */
export class OutputPace {
  readonly #socket: Socket;
  readonly #hasEnded: () => Promise<boolean>;
  readonly #time: Time;
  #unacked = 0;
  #held: AbortController | undefined;
  #free = false;

  /** @param hasEnded whether the command has; it is asked while its output is held. */
  constructor(socket: Socket, hasEnded: () => Promise<boolean>, time: Time) {
    this.#socket = socket;
    this.#hasEnded = hasEnded;
    this.#time = time;
  }

  /** So much was given to the client. */
  passed(bytes: number): void {
    this.#unacked += bytes;
    if (this.#unacked <= unackedLimitBytes || this.#free || this.#held) return;
    this.#socket.pause();
    const held = new AbortController();
    this.#held = held;
    void this.#look(held.signal);
  }

  ack(bytes: number): void {
    this.#unacked = Math.max(0, this.#unacked - bytes);
    if (this.#held && this.#unacked <= unackedLimitBytes) this.#letGo();
  }

  /** The output is not held any more, whatever its client does. */
  stop(): void {
    this.#free = true;
    if (this.#held) this.#letGo();
  }

  #letGo(): void {
    this.#held?.abort();
    this.#held = undefined;
    this.#socket.resume();
  }

  /**
   * The engine drops what it could not deliver within two seconds of a command's end. That is little, as the command could
   * not have ended otherwise: it is taken, whether the client reads or not.
   */
  async #look(held: AbortSignal): Promise<void> {
    while (!held.aborted) {
      await this.#time.sleep(lookMs, held);
      if (held.aborted) return;
      if (await this.#hasEnded()) this.stop();
    }
  }
}
