import { parentPort } from "node:worker_threads";
import type { StateDatabase } from "./database.js";
import { StoreOpenError } from "./errors.js";
import { StateOpener } from "./open-state.js";
import type { CallName, Calls, Failure, IdleTimes, Reply, Request } from "./protocol.js";
import { isDamage, isDiskFault } from "./sqlite-error.js";

/*
 * The store's thread: answers one call after the other, and tidies up when none came for a while. It is a thread so that
 * an fsync never holds the event loop of the agent.
 */

/** Between two steps of tidying, so that a call that came meanwhile goes first. */
const stepPauseMs = 5;

if (!parentPort) throw new Error("the store's worker was not started as a thread");
const port = parentPort;

let opener: StateOpener | undefined;
let database: StateDatabase | undefined;
let idle: IdleTimes | undefined;
let tidyTimer: NodeJS.Timeout | undefined;
let checkpointTimer: NodeJS.Timeout | undefined;

function needDatabase(): StateDatabase {
  if (!database) throw new Error("the store is not open");
  return database;
}

const handlers: { readonly [Name in CallName]: (args: Calls[Name]["args"]) => Calls[Name]["result"] } = {
  open(args) {
    const taken = StateOpener.take(args);
    database = taken.open();
    opener = taken;
    idle = args.idle;
    restartIdle();
    return database.opened;
  },
  replace(reason) {
    if (!opener) throw new Error("the store is not open");
    database = opener.replace(needDatabase(), reason);
    return database.opened;
  },
  probe() {
    needDatabase().probe();
    return undefined;
  },
  write(operations) {
    needDatabase().write(operations);
    restartIdle();
    return undefined;
  },
  history: (query) => needDatabase().history(query),
  close() {
    stopIdle();
    database?.close();
    database = undefined;
    opener?.release();
    opener = undefined;
    return undefined;
  },
};

port.on("message", (request: Request) => {
  port.postMessage(answer(request));
  if (request.name === "close") port.close();
});

function answer({ id, name, args }: Request): Reply {
  try {
    const handler = handlers[name] as (args: unknown) => unknown;
    return { id, ok: true, result: handler(args) };
  } catch (error) {
    return { id, ok: false, failure: failureOf(error) };
  }
}

function failureOf(error: unknown): Failure {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof StoreOpenError) return { kind: "open", reason: error.reason, path: error.path, message };
  if (isDamage(error)) {
    opener?.suspect();
    return { kind: "damage", message };
  }
  return isDiskFault(error) ? { kind: "disk", message } : { kind: "other", message, stack };
}

function restartIdle(): void {
  stopIdle();
  if (!idle) return;
  tidyTimer = setTimeout(tidy, idle.trimAfterMs);
  checkpointTimer = setTimeout(rest, idle.checkpointAfterMs);
}

function stopIdle(): void {
  clearTimeout(tidyTimer);
  clearTimeout(checkpointTimer);
}

function rest(): void {
  quietly((db) => db.checkpoint());
  opener?.fillReserve();
}

function tidy(): void {
  let more = false;
  quietly((db) => {
    more = db.tidy();
  });
  if (more) tidyTimer = setTimeout(tidy, stepPauseMs);
}

/** What can wait is tried again with the next idle time: a full disk is told by the commits. */
function quietly(work: (db: StateDatabase) => void): void {
  try {
    if (database) work(database);
  } catch (error) {
    if (isDamage(error)) opener?.suspect();
    if (!isDiskFault(error)) throw error;
  }
}
