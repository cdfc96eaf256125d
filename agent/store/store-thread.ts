import { Worker } from "node:worker_threads";
import { DamageError, DiskError, StoreOpenError } from "./errors.js";
import type { CallName, Calls, Failure, Reply, Request } from "./protocol.js";

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** The agent's end of the store's thread: calls go out in order and are answered in order. */
export class StoreThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #death: Error | undefined;
  #ending: Promise<void> | undefined;

  /** @param died told when the thread ends without having been asked to. */
  constructor(url: URL, died: (error: Error) => void) {
    this.#worker = new Worker(url, { name: "allocd-store" });
    this.#worker.on("message", (reply: Reply) => this.#answered(reply));
    this.#worker.on("error", (error: Error) => this.#die(error, died));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        resolve();
        this.#die(new Error(`the store's thread ended with code ${code}`), died);
      });
    });
  }

  /** @throws StoreOpenError, DiskError, or Error for a defect. */
  call<Name extends CallName>(name: Name, args: Calls[Name]["args"]): Promise<Calls[Name]["result"]> {
    return new Promise((resolve, reject) => {
      if (this.#death) return reject(this.#death);
      const request: Request<Name> = { id: ++this.#lastId, name, args };
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Closes the database and waits for the thread to be gone. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    if (this.#death) return;
    await this.call("close", undefined);
    this.#death = new Error("the store is closed");
    await this.#ended;
  }

  #answered(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.ok) pending?.resolve(reply.result as never);
    else pending?.reject(errorOf(reply.failure));
  }

  #die(error: Error, died: (error: Error) => void): void {
    if (this.#death) return;
    this.#death = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    died(error);
  }
}

function errorOf(failure: Failure): Error {
  if (failure.kind === "open") return new StoreOpenError(failure.reason, failure.path, failure.message);
  if (failure.kind === "damage") return new DamageError(failure.message);
  if (failure.kind === "disk") return new DiskError(failure.message);
  const error = new Error(failure.message);
  if (failure.stack !== undefined) error.stack = failure.stack;
  return error;
}
