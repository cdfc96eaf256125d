import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { container, dockerScenario, logOf } from "../support/engine.js";
import { job } from "../support/jobs.js";
import { waitFor } from "../support/wait.js";

const numbers = (text: string): readonly number[] => text.split("\n").filter(Boolean).map(Number);
const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);
/** Two megabytes of short lines, far more than an engine's log takes in that time without skipping some. */
const burst = 300_000;

dockerScenario("a burst of output is in the log to the last line, on both streams", async (start) => {
  const agent = await start();
  const script = `seq 1 ${burst}; seq 1 1000 >&2; exit 0`;
  const { ID } = await agent.run(job("burst", [container("t", script)], { Type: "batch" }), "complete");
  expect(numbers(logOf(agent, ID)).length).toBe(burst);
  expect(numbers(logOf(agent, ID))).toEqual(upTo(burst));
  expect(numbers(logOf(agent, ID, "t", "stderr"))).toEqual(upTo(1000));
});

/** Counts on stdout, and says the same word on stderr each time, until it is told to end. */
const counting =
  "n=0; until [ -e /alloc/end ]; do n=$((n+1)); echo $n; echo again >&2; [ $((n % 7)) != 0 ] || sleep 0.01; done; echo $n > /alloc/count";

for (const tty of [false, true]) {
  dockerScenario(`an agent that is killed and started again loses and repeats nothing${tty ? " of a terminal" : ""}`, async (start) => {
    const agent = await start();
    const { ID } = await agent.run(job("count", [container("t", counting, { tty })], { Type: "batch" }));
    const lines = (): number => numbers(logOf(agent, ID).replaceAll("again\r\n", "")).length;
    for (let round = 0; round < 2; round++) {
      const before = lines();
      await waitFor("it to go on", () => lines() > before + 50);
      await agent.kill();
      await pause(300);
      await agent.start();
    }
    const before = lines();
    await waitFor("it to go on", () => lines() > before + 50);
    writeFileSync(`${agent.dataDir}/alloc/${ID}/alloc/end`, "");
    const ended = await agent.untilAlloc(ID, "to end", (a) => a.ClientStatus === "complete");
    expect(ended.TaskStates.t.Restarts).toBe(0);
    const count = Number(readFileSync(`${agent.dataDir}/alloc/${ID}/alloc/count`, "utf8"));
    const out = logOf(agent, ID).replaceAll("\r", "");
    const said =
      out.split("\n").filter((line) => line === "again").length + logOf(agent, ID, "t", "stderr").split("\n").filter(Boolean).length;
    expect(numbers(out.replaceAll("again\n", ""))).toEqual(upTo(count));
    expect(said).toBe(count);
  });
}
