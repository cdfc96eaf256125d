import { closeSync, mkdirSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { dial } from "./dial.js";
import { firstInherited, type Handover, readyFd } from "./handover.js";
import { ShimServer } from "./server.js";
import { Shim } from "./shim.js";
import { takeShimLock } from "./shim-lock.js";

/*
 * The shim's process: `node main.js <runtime directory>`, with `--take-over` by an earlier one that hands over to it. Its log is one JSON line a message on stderr.
 */

/** How long one that is ending may take to let go of the directory. */
const lockDeadlineMs = 10_000;

const log = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
  try {
    const line = JSON.stringify({ time: new Date().toISOString(), name: "shim", pid: process.pid, msg: message, ...fields });
    writeSync(2, `${line}\n`);
  } catch {
    // A full disk must not cost the tasks their shim.
  }
};

/** @returns the lock's descriptor; undefined when another shim has the directory and answers there. */
async function becomeTheOne(dir: string, path: string): Promise<number | undefined> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const deadline = performance.now() + lockDeadlineMs; ; await pause(20)) {
    const lockFd = takeShimLock(dir);
    if (lockFd !== undefined) return lockFd;
    const other = await dial(path);
    other?.destroy();
    if (other) return undefined;
    if (performance.now() > deadline) throw new Error(`another shim holds ${dir}/lock and does not answer`);
  }
}

async function run(dir: string, takesOver: boolean): Promise<void> {
  const path = `${dir}/shim.sock`;
  const handover = takesOver ? (JSON.parse(readFileSync(0, "utf8")) as Handover) : undefined;
  const lockFd = takesOver ? firstInherited : await becomeTheOne(dir, path);
  if (lockFd === undefined) {
    log("another shim answers here already");
    return;
  }
  // A terminal that the agent was started from, and its Ctrl-C, are no business of the tasks.
  process.on("SIGHUP", () => {});
  process.on("SIGINT", () => {});
  const shim = new Shim(dir, log, handover);
  const server = new ShimServer(shim, path, lockFd, () => process.exit(0));
  await server.listen();
  // A defect in the handling of one task must not cost the others: the records allow to go on.
  process.on("uncaughtException", (error) => log("defect", { error: error.stack }));
  process.on("unhandledRejection", (error) => log("defect", { error: error instanceof Error ? error.stack : String(error) }));
  log("ready", takesOver ? { tookOver: true } : {});
  if (takesOver) {
    writeSync(readyFd, "ready");
    closeSync(readyFd);
  }
  process.on("SIGTERM", () => {
    server.close();
    void shim.close().then(() => process.exit(0));
  });
}

// Node itself writes there what a child has said, and a full disk would be an error that nobody handles.
process.stderr.on("error", () => {});
const dir = process.argv[2];
if (!dir) throw new Error("usage: node main.js RUNTIME_DIR [--take-over]");
try {
  await run(dir, process.argv[3] === "--take-over");
} catch (error) {
  log("the shim can not be started", { error: (error as Error).stack });
  // At once: what was opened so far would keep it alive, and with it the lock.
  process.exit(1);
}
