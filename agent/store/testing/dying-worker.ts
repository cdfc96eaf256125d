import { parentPort } from "node:worker_threads";
import type { Opened, Reply, Request } from "../protocol.js";

/* A store's thread that opens nothing and dies of the first write. */

const opened: Opened = {
  rows: {
    meta: [],
    jobs: [],
    jobVersions: [],
    jobCopies: [],
    allocs: [],
    taskStates: [],
    taskHandles: [],
    tombstones: [],
    evals: [],
    deployments: [],
    services: [],
    variables: [],
    node: undefined,
    acl: [],
    namespaces: [],
    launches: [],
    scalingEvents: [],
    schedulerConfig: undefined,
  },
  restored: false,
  unclean: false,
  knownIndex: 0,
  repair: null,
  durability: { journalMode: "wal", synchronous: 2 },
};

parentPort?.on("message", ({ id, name }: Request) => {
  if (name === "write") throw new Error("the thread was told to die");
  const reply: Reply = { id, ok: true, result: opened };
  parentPort?.postMessage(reply);
});
