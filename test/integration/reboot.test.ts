import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { TestAgent } from "../support/agent.js";
import { cgroupsIn, cgroupsNamed, isAlive, processesAbout } from "../support/host.js";
import { job, SECOND, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

/*
 * What a reboot leaves: no process, another boot id than the one in the handles, and numbers that belong to others. The
 * host's own boot id stays what it is, so it is the recorded one that is made another.
 */

const earlierBoot = "11111111-1111-1111-1111-111111111111";
const noted = "echo run >> $NOMAD_ALLOC_DIR/data/runs";
const restarting = (Attempts: number) => ({ RestartPolicy: { Attempts, Interval: 600 * SECOND, Delay: SECOND / 10, Mode: "fail" } });

const runsOf = (agent: TestAgent, id: string): number =>
  readFileSync(join(agent.dataDir, "alloc", id, "alloc", "data", "runs"), "utf8").split("\n").length - 1;

/** Ends everything of an agent at once, and lets the numbers of its processes be given to another. */
async function reboot(agent: TestAgent, victim: number, runtime: "gone" | "kept"): Promise<void> {
  await agent.kill();
  await waitFor("everything to be gone", () => {
    const left = processesAbout(agent.root);
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    return left.length === 0;
  });
  for (const cgroup of cgroupsNamed(agent.cgroupParent).flatMap(cgroupsIn).toReversed()) {
    await waitFor("a cgroup to be empty", () => {
      rmdirSync(cgroup);
      return true;
    });
  }
  const db = new Database(join(agent.dataDir, "state", "state.db"));
  const { changes } = db
    .prepare("UPDATE task_handles SET body = json_set(body, '$.driver.bootId', ?) WHERE json_type(body, '$.driver') = 'object'")
    .run(earlierBoot);
  db.close();
  expect(changes).toBeGreaterThan(0);
  if (runtime === "gone") return rmSync(agent.runtimeDir, { recursive: true });
  // A runtime directory that is no tmpfs: its records say the victim's number, and even the moment it was started at.
  writeFileSync(join(agent.runtimeDir, "boot-id"), earlierBoot);
  const stat = readFileSync(`/proc/${victim}/stat`, "utf8");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  for (const run of readdirSync(join(agent.runtimeDir, "runs"))) {
    const line = (name: string): string => `${name} ${victim} ${startTime}\n`.padEnd(64, " ");
    writeFileSync(join(agent.runtimeDir, "runs", run, "record"), line("guard") + line("pid"));
  }
}

for (const runtime of ["gone", "kept"] as const) {
  scenario(
    `a reboot (the runtime directory is ${runtime}): what should run is started again under its restart policy, what was complete is not, and a number that was given to another process is not touched`,
    async (start) => {
      const agent = await start();
      const victim = spawn("/bin/sleep", ["3600"], { detached: true, stdio: "ignore", cwd: "/" });
      try {
        const sleeping = `${noted}; exec sleep 3600`;
        const service = await agent.run(job("service", [shell("t", sleeping, restarting(2))]));
        const group = await agent.run(
          job("group", [
            shell("main", sleeping, restarting(2)),
            shell("init", noted, { Lifecycle: { Hook: "prestart", Sidecar: false }, ...restarting(2) }),
          ]),
        );
        const batch = await agent.run(job("batch", [shell("t", sleeping, restarting(1))], { Type: "batch" }));
        const strict = await agent.run(job("strict", [shell("t", sleeping)]));
        const done = await agent.run(job("done", [shell("t", noted)], { Type: "batch" }), "complete");
        const stopped = await agent.run(job("stopped", [shell("t", sleeping, restarting(9))]));
        await agent.delete("/v1/job/stopped");
        await agent.untilAlloc(stopped.ID, "to have ended", (a) => a.ClientStatus === "complete" || a.ClientStatus === "failed");
        for (const { ID } of [service, batch, strict]) expect(runsOf(agent, ID)).toBe(1);

        await reboot(agent, victim.pid as number, runtime);
        await agent.start();
        for (const [{ ID }, task] of [
          [service, "t"],
          [batch, "t"],
          [group, "main"],
        ] as const) {
          const again = await agent.untilAlloc(
            ID,
            "to run again",
            (a) => a.ClientStatus === "running" && a.TaskStates[task].Restarts === 1,
          );
          const events: readonly { Type: string; Details: { exit_message?: string } }[] = again.TaskStates[task].Events;
          expect(events.map(({ Type }) => Type).slice(-3)).toEqual(["Terminated", "Restarting", "Started"]);
          expect(events.at(-3)?.Details.exit_message).toBe("unknown: host restarted");
        }
        expect(runsOf(agent, service.ID)).toBe(2);
        expect(runsOf(agent, batch.ID)).toBe(2);
        // The prestart task of the group was complete, and stays it.
        expect(runsOf(agent, group.ID)).toBe(3);
        const failed = await agent.untilAlloc(strict.ID, "to be judged by its policy", (a) => a.ClientStatus === "failed");
        expect(failed.TaskStates.t.Events.map(({ Type }: { Type: string }) => Type)).toEqual(
          expect.arrayContaining(["Terminated", "Not Restarting"]),
        );
        expect([(await agent.read(`/v1/allocation/${done.ID}`)).ClientStatus, runsOf(agent, done.ID)]).toEqual(["complete", 1]);
        expect(runsOf(agent, stopped.ID)).toBe(1);
        expect(isAlive(victim.pid as number)).toBe(true);
      } finally {
        const ended = new Promise((resolve) => victim.once("exit", resolve));
        victim.kill("SIGKILL");
        await ended;
      }
    },
    60,
  );
}
