import { Worker } from "node:worker_threads";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import { jobOf } from "./document.js";
import { HclError } from "./expression.js";
import { isMembers, type Members, type Value } from "./functions.js";
import { jobFromHcl } from "./job.js";
import type { HclReply, HclRequest } from "./worker.js";

/** A text that takes longer is given up, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** The thread is ended when nobody has asked for so long. */
const IDLE_MS = 30_000;
const MAX_WAITING = 16;
const MAX_BYTES = 1 << 20;
/** In MiB; the parser itself lives outside of it. */
const HEAP_MB = 128;

interface Waiting {
  readonly resolve: (tree: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Reads job specifications. Its thread is there only while somebody uses it. */
export class HclReader {
  readonly #clock: Clock;
  readonly #workerUrl: URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;
  #idle = new AbortController();

  /** @param workerUrl the compiled worker.ts, if it is not beside this file. */
  constructor(clock: Clock, workerUrl = new URL("./worker.js", import.meta.url)) {
    this.#clock = clock;
    this.#workerUrl = workerUrl;
  }

  /**
   * @param hcl the specification of one job.
   * @param variables values of its variables, in HCL.
   * @returns the job in the words of the API; only what was said is in it.
   * @throws HclError or InvalidField that names the line or the word; AllocdError for what is too large or comes too often.
   */
  async parse(hcl: string, variables: string): Promise<unknown> {
    const [tree, given] = [await this.#read("job.hcl", hcl), await this.#read("variables.hcl", variables)];
    const { id, body } = jobOf(tree, given);
    return jobFromHcl(id, body);
  }

  /** Ends the thread; what is being read is given up. */
  async close(): Promise<void> {
    this.#idle.abort();
    await this.#end("the agent ends");
  }

  async #read(file: string, text: string): Promise<Members> {
    if (text.trim() === "") return {};
    if (Buffer.byteLength(text) > MAX_BYTES) throw new AllocdError("too-large", `${file}: want at most ${MAX_BYTES} bytes`);
    if (this.#waiting.size >= MAX_WAITING) {
      throw new AllocdError("too-many-requests", `${MAX_WAITING} specifications are being read already, which is the limit`);
    }
    const worker = this.#started();
    const id = ++this.#lastId;
    const over = new AbortController();
    void this.#clock.sleep(TIMEOUT_MS, over.signal).then(() => {
      if (!over.signal.aborted) void this.#end(`${file}: not read after ${TIMEOUT_MS / 1000} s`);
    });
    try {
      const tree = await new Promise<unknown>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        worker.postMessage({ id, file, text } satisfies HclRequest);
      });
      if (!isMembers(tree as Value)) throw new HclError(`${file}: got no blocks`);
      return tree as Members;
    } finally {
      over.abort();
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#waitIdle();
    }
  }

  #started(): Worker {
    this.#idle.abort();
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.#workerUrl, { name: "allocd-hcl", resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
    worker.unref();
    worker.on("message", (reply: HclReply) => {
      const waiting = this.#waiting.get(reply.id);
      if ("error" in reply) waiting?.reject(new HclError(plainly(reply.error)));
      else waiting?.resolve(reply.tree);
    });
    worker.on("error", (error: Error) => void this.#end(`the specification can not be read: ${error.message}`));
    worker.on("exit", () => {
      if (this.#worker === worker) void this.#end("the specification can not be read: the parser has ended");
    });
    this.#worker = worker;
    return worker;
  }

  async #end(why: string): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new HclError(why));
    await worker?.terminate();
  }

  #waitIdle(): void {
    this.#idle = new AbortController();
    const { signal } = this.#idle;
    void this.#clock.sleep(IDLE_MS, signal).then(() => {
      if (!signal.aborted) void this.#end("nobody waits");
    });
  }
}

/** `job.hcl:3,5-6: Invalid expression; ...`, without what the parser puts around it. */
const plainly = (message: string): string => message.replace(/^parse config: \[([\s\S]*)\]$/, "$1");
