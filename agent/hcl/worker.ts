import { parentPort } from "node:worker_threads";
import { parse } from "@cdktn/hcl2json";

/*
 * Reads HCL in a thread of its own: the parser is WebAssembly that takes tens of megabytes and puts names into the global
 * scope, and a text that keeps it busy must not hold up the agent.
 */

export interface HclRequest {
  readonly id: number;
  readonly file: string;
  readonly text: string;
}

export type HclReply =
  | { readonly id: number; readonly tree: unknown }
  /** What is wrong with the text, and where. */
  | { readonly id: number; readonly error: string };

if (!parentPort) throw new Error("the HCL worker was not started as a thread");
const port = parentPort;

port.on("message", async ({ id, file, text }: HclRequest) => {
  let reply: HclReply;
  try {
    reply = { id, tree: await parse(file, text) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(reply);
});
