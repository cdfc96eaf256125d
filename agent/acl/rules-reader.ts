import { Worker } from "node:worker_threads";
import { AllocdError } from "../errors.js";
import type { HclReply, HclRequest } from "../hcl/worker.js";
import type { AclRules } from "../model/acl.js";
import { InvalidInput } from "../model/invalid-field.js";
import { JsonSyntaxError, parseJson } from "../model/json.js";
import { rulesFrom } from "./rules.js";

const MAX_BYTES = 64 * 1024;
/** A text that takes longer is given up, in milliseconds. */
const TIMEOUT_MS = 10_000;
const MAX_WAITING = 8;

/**
 * Reads the rules of policies. HCL is read in a thread of its own that ends with the text: policies are written seldom, and
 * the parser takes tens of megabytes.
 */
export class RulesReader {
  readonly #workerUrl: URL;
  #waiting = 0;

  /** @param workerUrl the compiled hcl/worker.ts, if it is not beside this file. */
  constructor(workerUrl = new URL("../hcl/worker.js", import.meta.url)) {
    this.#workerUrl = workerUrl;
  }

  /**
   * @param text rules in HCL or JSON; empty ones allow nothing.
   * @throws InvalidInput that names the line or the rule; AllocdError for what is too large or comes too often.
   */
  async read(text: string): Promise<AclRules> {
    if (Buffer.byteLength(text) > MAX_BYTES) throw new AllocdError("too-large", `Rules: want at most ${MAX_BYTES} bytes`);
    if (text.trim() === "") return rulesFrom({});
    return rulesFrom(text.trimStart().startsWith("{") ? readJson(text) : await this.#readHcl(text));
  }

  async #readHcl(text: string): Promise<unknown> {
    if (this.#waiting >= MAX_WAITING) throw new AllocdError("too-many-requests", `${MAX_WAITING} policies are being read already`);
    this.#waiting++;
    try {
      return await this.#inThread(text);
    } finally {
      this.#waiting--;
    }
  }

  async #inThread(text: string): Promise<unknown> {
    const worker = new Worker(this.#workerUrl, { name: "allocd-rules" });
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        const refuse = (why: string): void => reject(new InvalidInput(`Rules: ${why}`));
        timer = setTimeout(() => refuse(`not read after ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
        worker.once("error", (error: Error) => refuse(error.message));
        worker.once("exit", () => refuse("the parser has ended"));
        worker.once("message", (reply: HclReply) => ("error" in reply ? refuse(plainly(reply.error)) : resolve(reply.tree)));
        worker.postMessage({ id: 1, file: "rules.hcl", text } satisfies HclRequest);
      });
    } finally {
      clearTimeout(timer);
      await worker.terminate();
    }
  }
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new InvalidInput(`Rules: no JSON: ${error.message}`);
  }
}

/** `rules.hcl:3,5-6: Invalid expression; ...`, without what the parser puts around it. */
const plainly = (message: string): string => message.replace(/^parse config: \[([\s\S]*)\]$/, "$1");
