// How long a command in a container takes from the request to its exit code: our session, the engine's own calls with nothing
// around them, and `docker exec`, in turn. node bench/container-exec.mjs SOCKET CONTAINER [rounds]; needs `npm run build`.
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import Docker from "dockerode";
import pino from "pino";
import { startContainerExec } from "../dist/drivers/docker/exec/start-container-exec.js";

const [socketPath, containerId, rounds = "50"] = process.argv.slice(2);
if (!containerId) throw new Error("usage: node bench/container-exec.mjs SOCKET CONTAINER [rounds]");
const docker = new Docker({ socketPath });
const command = ["true"];
const time = { monotonicMs: () => performance.now(), sleep: (ms, signal) => pause(ms, undefined, { signal }).catch(() => {}) };

const session = (tty) => () =>
  new Promise((resolve, reject) => {
    startContainerExec({
      docker,
      containerId,
      spec: { sessionId: randomUUID(), command, tty },
      user: "",
      time,
      log: pino({ level: "silent" }),
      listener: { output: () => {}, closed: () => {}, exited: resolve },
    }).catch(reject);
  });

async function calls() {
  const options = { Cmd: command, AttachStdin: true, AttachStdout: true, AttachStderr: true };
  const exec = await docker.getContainer(containerId).exec(options);
  const stream = await exec.start({ hijack: true, stdin: true });
  stream.resume();
  await new Promise((resolve) => stream.once("end", resolve));
  await exec.inspect();
}

const cli = () => execFileSync("docker", ["-H", `unix://${socketPath}`, "exec", containerId, ...command]);

const kinds = {
  session: session(null),
  "session with a terminal": session({ rows: 24, cols: 80 }),
  "the engine's calls": calls,
  "docker exec": cli,
};
const times = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
for (let round = 0; round < Number(rounds); round++) {
  for (const [kind, run] of Object.entries(kinds)) {
    const started = performance.now();
    await run();
    times[kind].push(performance.now() - started);
  }
}
for (const [kind, all] of Object.entries(times)) {
  const sorted = all.sort((a, b) => a - b);
  const at = (part) => sorted[Math.floor((sorted.length - 1) * part)].toFixed(1);
  console.log(`${kind}: median ${at(0.5)} ms, p90 ${at(0.9)} ms`);
}
