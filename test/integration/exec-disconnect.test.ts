import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { TestAgent } from "../support/agent.js";
import { ExecClient, execPath, execute, idleTask, onlyLeft, shimPid } from "../support/exec.js";
import { cgroupsIn, cgroupsNamed, openFiles, processesAbout } from "../support/host.js";
import { type Chance, chance } from "../support/random.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const batches = 50;
const batchSize = 20;
/** As many sessions at once as a task keeps cgroups in store for, and more. */
const warmUp = 8;

/** Sends so much of a WebSocket's opening and goes. */
async function dropAtOpening(agent: TestAgent, path: string, random: Chance): Promise<void> {
  const key = random.bytes(16).toString("base64");
  const opening = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
  const socket = connect(agent.port, "127.0.0.1");
  socket.on("error", () => {});
  const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.resume();
  // Half of them go right after the whole of it, when the session is on its way.
  socket.write(opening.slice(0, random.pick([0, random.number(opening.length), opening.length, opening.length])), () => {
    if (random.number(2) === 0) socket.destroy();
    else setTimeout(() => socket.destroy(), random.number(20));
  });
  await gone;
}

const scripts = {
  silent: ["/bin/sleep", "1000"],
  loud: ["/usr/bin/yes"],
  reader: ["/bin/cat"],
  deaf: ["/bin/sleep", "1001"],
  family: ["/bin/sh", "-c", "setsid sleep 1002 & setsid setsid sleep 1003 > /dev/null 2>&1 & sleep 1004"],
} as const;

async function dropInside(agent: TestAgent, id: string, random: Chance): Promise<void> {
  const kind = random.pick(Object.keys(scripts) as (keyof typeof scripts)[]);
  const client = new ExecClient(agent, id, scripts[kind], { tty: random.number(3) === 0, sink: () => {} });
  await client.opened;
  if (kind === "loud" && random.number(2) === 0) await new Promise((resolve) => client.ws.once("message", resolve));
  if (kind === "reader" || kind === "deaf") void client.stdin(Buffer.alloc(random.number(600_000), "text\n"));
  if (random.number(2) === 0) await pause(random.number(60));
  client.drop();
  await client.closed;
}

/** What sessions could leave behind, as far as it can be seen from outside. */
function holdings(agent: TestAgent, id: string) {
  return {
    processes: processesAbout(agent.root).map(({ command }) => command),
    agentFiles: openFiles(agent.pid).length,
    shimFiles: openFiles(shimPid(agent)).length,
    cgroups: cgroupsNamed(agent.cgroupParent)
      .flatMap(cgroupsIn)
      .filter((path) => path.includes(id)).length,
  };
}

scenario(
  "1,000 disconnects at random moments leave no process, descriptor, cgroup or listener, and the task runs on",
  async (start) => {
    const agent = await start();
    const id = await idleTask(agent, "idle", "echo $$ > local/pid; exec sleep 1000");
    await Promise.all(Array.from({ length: warmUp }, (_, i) => execute(agent, id, "sleep 0.1", { tty: i % 2 === 0 })));
    const task = (await agent.read(`/v1/allocation/${id}`)).TaskStates.t;
    // The connection of our last question may be closing.
    await pause(100);
    const before = holdings(agent, id);
    const random = chance(1000);
    for (let batch = 0; batch < batches; batch++) {
      await Promise.all(
        Array.from({ length: batchSize }, (_, i) =>
          i % 3 === 0 ? dropAtOpening(agent, execPath(id, random.pick(Object.values(scripts))), random) : dropInside(agent, id, random),
        ),
      );
    }
    let after = holdings(agent, id);
    await waitFor("everything to be as before", () => {
      after = holdings(agent, id);
      return JSON.stringify(after) === JSON.stringify(before);
    }).catch(() => expect(after).toEqual(before));
    expect((await agent.read(`/v1/allocation/${id}`)).TaskStates.t).toEqual(task);
    expect((await execute(agent, id, "cat local/pid; kill -0 $(cat local/pid)")).exitCode).toBe(0);
    const logs = agent.log + readFileSync(join(agent.dataDir, "shim.log"), "utf8");
    expect(logs.match(/MaxListeners|"defect"|UnhandledPromise|"level":[56]0/)).toBeNull();
  },
  90,
);

scenario(
  "a dropped command that ignores HUP and TERM is killed with all its children, those with sessions of their own too",
  async (start) => {
    const agent = await start();
    const id = await idleTask(agent);
    const before = processesAbout(agent.root);
    for (const tty of [false, true]) {
      const script =
        "trap '' HUP TERM INT; setsid sh -c 'sleep 1000; :' & (setsid setsid sleep 1001 > /dev/null 2>&1 &); echo up; while :; do sleep 1; done";
      const client = new ExecClient(agent, id, ["/bin/sh", "-c", script], { tty });
      await client.said("up");
      expect(processesAbout(agent.root).length).toBeGreaterThan(before.length + 2);
      client.drop();
      await onlyLeft(agent, before);
    }
  },
);

scenario("a dropped command that writes without end while it ignores its end costs no one else their session", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const bystander = new ExecClient(agent, id, ["cat"]);
  await bystander.opened;
  const loud = new ExecClient(agent, id, ["/bin/sh", "-c", "trap '' HUP TERM; exec yes"], { sink: () => {} });
  await new Promise((resolve) => loud.ws.once("message", resolve));
  loud.ws.pause();
  const { pid } = await waitFor("the command", () => processesAbout(agent.root).find(({ command }) => command === "yes"));
  loud.drop();
  await waitFor("it to be killed", () => !processesAbout(agent.root).some((process) => process.pid === pid));
  await bystander.stdin("still there");
  await bystander.said("still there");
  bystander.drop();
});
