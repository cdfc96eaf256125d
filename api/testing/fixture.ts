import { tmpdir } from "node:os";
import { Writable } from "node:stream";
import pino from "pino";
import { AllocStats } from "../../agent/allocs/alloc-stats.js";
import { SystemClock } from "../../agent/clock.js";
import { AllocdError } from "../../agent/errors.js";
import { EventBroker } from "../../agent/events/event-broker.js";
import { JobValidator } from "../../agent/jobs/job-validator.js";
import { HostStatsReader } from "../../agent/node/host-stats.js";
import { MemoryStore } from "../../agent/store/memory-store.js";
import type { Change } from "../../agent/store/state-store.js";
import { memoryKeyring } from "../../agent/vars/testing/memory-keyring.js";
import { Variables } from "../../agent/vars/variables.js";
import type { AllocCommands, ApiDeps, JobCommands, NamespaceCommands } from "../deps.js";
import { type Api, createApi } from "../server.js";
import { HttpClient } from "./http-client.js";
import { notedDeployments, notedNodes, notedScheduling } from "./noted-commands.js";

export interface Fixture {
  readonly api: Api;
  readonly http: HttpClient;
  readonly store: MemoryStore;
  /** What the commands were called with, in order. */
  readonly calls: readonly unknown[][];
  /** Lines of the log. */
  readonly logged: readonly string[];
  commit(...changes: readonly Change[]): Promise<number>;
  close(): Promise<void>;
}

/** A whole API on a port of its own, over a store in memory and commands that only note their calls. */
export async function startApi(overrides: Partial<ApiDeps> = {}): Promise<Fixture> {
  const clock = new SystemClock();
  const logged: string[] = [];
  const log = pino(
    { level: "info" },
    new Writable({
      write(line: Buffer, _encoding, done) {
        logged.push(line.toString());
        done();
      },
    }),
  );
  const store = new MemoryStore({ clock, log });
  const events = new EventBroker({ store, clock, options: { bufferedEvents: 100, bufferedBytes: 1 << 24, maxSubscribers: 2 } });
  const calls: unknown[][] = [];
  const api = createApi({
    store,
    jobs: notedJobs(calls),
    namespaces: notedNamespaces(calls),
    specs: {
      validate: (job) => new JobValidator({ store, drivers: new Map() }).validate(job),
      parse: async (...args) => {
        calls.push(["parse", ...args]);
        return { ID: "web", Name: "web", TaskGroups: [{ Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec" }] }] };
      },
    },
    events,
    allocs: notedAllocs(calls),
    scheduling: notedScheduling(calls),
    deployments: notedDeployments(calls),
    nodes: notedNodes(calls),
    gc: {
      collect: async (id) => {
        calls.push(["collect", id]);
      },
      collectAll: () => calls.push(["collectAll"]),
    },
    services: {
      deregister: async ({ ID }) => {
        calls.push(["deregister", ID]);
        return 11;
      },
    },
    agent: { version: "1.2.3", dataDir: "/var/lib/allocd" },
    stats: {
      ofAllocation: async (allocId, task) => new AllocStats({ runs: () => new Map(), coreMhz: () => 1_000, clock }).of(allocId, task),
      ofHost: () => new HostStatsReader({ clock, dataDir: tmpdir() }).read(),
    },
    variables: new Variables({ store, keyring: memoryKeyring(), options: { maxVariables: 100 } }),
    clock,
    log,
    ...overrides,
  });
  await new Promise<void>((resolve) => api.server.listen(0, "127.0.0.1", resolve));
  return {
    api,
    http: new HttpClient(api.server),
    store,
    calls,
    logged,
    commit: (...changes) => store.commit(changes),
    close: async () => {
      events.close();
      await api.close();
      await store.close();
    },
  };
}

function notedJobs(calls: unknown[][]): JobCommands {
  const result = { EvalID: "5d61b586-2858-7846-d620-c338c16179cc", EvalCreateIndex: 7, JobModifyIndex: 6, Index: 7 };
  return {
    register: async (...args) => {
      calls.push(["register", ...args]);
      return { ...result, Warnings: "" };
    },
    deregister: async (...args) => {
      calls.push(["deregister", ...args]);
      if (args[1] === "unknown") throw new AllocdError("not-found", "job not found");
      return result;
    },
    revert: async (...args) => {
      calls.push(["revert", ...args]);
      return { ...result, Warnings: "" };
    },
    setStable: async (...args) => {
      calls.push(["setStable", ...args]);
      return { Index: 8 };
    },
    dispatch: async (...args) => {
      calls.push(["dispatch", ...args]);
      return { ...result, DispatchedJobID: "web/dispatch-1-00000000", JobCreateIndex: 7 };
    },
    forcePeriodic: async (...args) => {
      calls.push(["forcePeriodic", ...args]);
      return result;
    },
    collectGarbage: async () => {
      calls.push(["collectGarbage"]);
    },
    stopAlloc: async (...args) => {
      calls.push(["stopAlloc", ...args]);
      return result;
    },
    putAllocation: async (...args) => {
      calls.push(["putAllocation", ...args]);
      return { Index: 9 };
    },
    deleteAllocation: async (...args) => {
      calls.push(["deleteAllocation", ...args]);
      return { Index: 10 };
    },
  };
}

function notedNamespaces(calls: unknown[][]): NamespaceCommands {
  return {
    put: async (...args) => {
      calls.push(["putNamespace", ...args]);
      return { Index: 11 };
    },
    delete: async (...args) => {
      calls.push(["deleteNamespace", ...args]);
      return { Index: 12 };
    },
  };
}

function notedAllocs(calls: unknown[][]): AllocCommands {
  return {
    restart: async (...args) => {
      calls.push(["restart", ...args]);
    },
    signal: async (...args) => {
      calls.push(["signal", ...args]);
      if (args[1] === "SIGNOPE") throw new AllocdError("invalid", 'Signal: got "SIGNOPE", want the name of a signal');
    },
    checks: (id) => ({ c1: { ID: "c1", Check: "alive", Alloc: id } }),
  };
}
