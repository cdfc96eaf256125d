import { writeSync } from "node:fs";
import pino from "pino";
import { SystemClock } from "../../clock.js";
import { SqliteStore } from "../sqlite-store.js";
import { aTaskEvent, aTaskState, creation, transition } from "./samples.js";

/*
 * A process to be killed: commits for ever, several at once, and writes each acknowledged index to stdout. The directory
 * is the first argument.
 */

const store = await SqliteStore.open({ dir: process.argv[2] ?? "", clock: new SystemClock(), log: pino({ level: "silent" }) });
for (let round = 0; ; round++) {
  const ids = [0, 1, 2, 3].map((place) => `${process.pid}-${round}-${place}`);
  await Promise.all(
    ids.map(async (id) => {
      const state = aTaskState({ State: "running", Events: [aTaskEvent("Started")] });
      const index = await store.commit([creation(id), transition(id, "main", state)]);
      writeSync(1, `${id} ${index}\n`);
    }),
  );
}
