import type { Socket } from "node:net";

const BODY = "Your IP is issuing too many concurrent connections, please rate limit your calls\n";
/** Source: reference behaviour §1.2. */
const REFUSAL = `HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
/** How long a refused client may take to read why. */
const LINGER_MS = 1_000;

/** Limits the concurrent connections of one address. */
export class ConnectionLimit {
  readonly #counts = new Map<string, number>();
  readonly #refused = new WeakSet<Socket>();

  /** @param limit connections of one address; 0 is no limit. */
  constructor(readonly limit: number) {}

  /** Counts a new connection, or answers it with 429 at once. Sockets without an address are local ones and not limited. */
  admit(socket: Socket): void {
    const address = socket.remoteAddress;
    if (this.limit <= 0 || address === undefined) return;
    const count = this.#counts.get(address) ?? 0;
    if (count >= this.limit) {
      this.#refuse(socket);
      return;
    }
    this.#counts.set(address, count + 1);
    socket.once("close", () => this.#release(address));
  }

  /** True when the socket got its 429: nothing that comes from it counts any more. */
  isRefused(socket: Socket): boolean {
    return this.#refused.has(socket);
  }

  #release(address: string): void {
    const left = (this.#counts.get(address) ?? 1) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }

  #refuse(socket: Socket): void {
    this.#refused.add(socket);
    socket.on("error", () => socket.destroy());
    socket.end(REFUSAL);
    // Closing with unread input would reset the connection before its client has read the answer.
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  }
}
