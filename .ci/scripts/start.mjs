// npm start: sets up what is missing, runs the agent and, the first time, an example job, until Ctrl-C.
// npm start -- --port 4700 --data-dir /tmp/other
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ensureBuild, ensureModules, main, SetupError, top } from "./toolchain.mjs";

const { values: given } = parseArgs({
  options: { port: { type: "string", default: "4646" }, "data-dir": { type: "string", default: join(top, "data") } },
});
const host = "127.0.0.1";
const base = `http://${host}:${given.port}`;
const dataDir = resolve(given["data-dir"]);
const logFile = join(dataDir, "agent.log");
const readyMs = 20_000;
const exampleMs = 10_000;

await main(async () => {
  ensureModules();
  ensureBuild();
  if (await inUse()) {
    throw new SetupError(
      `port ${given.port} of ${host} is in use already: end what listens there, or choose another with "npm start -- --port N"`,
    );
  }
  const agent = startAgent();
  const interrupted = new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, done);
  });
  await Promise.race([interrupted, agent.ended, greet()]);
  await Promise.race([interrupted, agent.ended]);
  if (agent.code !== undefined) {
    throw new SetupError(lastWords() ?? `the agent ended by itself (${agent.code}); its log is ${shown(logFile)}`);
  }
  const left = await running().catch(() => []);
  agent.process.kill("SIGTERM");
  await agent.ended;
  console.log(farewell(left));
});

/** In a session of its own, so that a Ctrl-C of this terminal reaches it once, through us. */
function startAgent() {
  // Tasks of other users pass through it.
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  const log = openSync(logFile, "w", 0o600);
  const args = ["agent", "--bind", host, "--port", given.port, "--data-dir", dataDir];
  const child = spawn(join(top, "bin/allocd"), args, { cwd: top, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  const agent = { process: child, code: undefined };
  agent.ended = new Promise((done) => {
    child.once("exit", (code, signal) => {
      agent.code = code ?? signal;
      done();
    });
  });
  return agent;
}

/** The agent's log is JSON; a plain line at its end is why it could not start. */
function lastWords() {
  const line = readFileSync(logFile, "utf8").trimEnd().split("\n").at(-1) ?? "";
  return line.startsWith("allocd: ") ? line : undefined;
}

async function greet() {
  await until(readyMs, async () => (await fetch(`${base}/v1/agent/health`)).ok);
  console.log(`\nallocd runs on ${base}, data in ${shown(dataDir)}, its own log in ${shown(logFile)}`);
  try {
    console.log(await example());
  } catch (error) {
    console.error(`the example can not be shown: ${error.message}`);
  }
  console.log("\nCtrl-C ends the agent; tasks go on without it.");
}

/** Registers the example the first time; one that its user has stopped stays stopped. */
async function example() {
  if ((await fetch(`${base}/v1/job/hello`)).status === 404) {
    const answer = await fetch(`${base}/v1/jobs`, { method: "PUT", body: readFileSync(join(top, "examples/hello.json")) });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }
  const again = `curl -X PUT --data @examples/hello.json ${base}/v1/jobs`;
  if ((await json("/v1/job/hello")).Stop) return `The example job "hello" was stopped earlier. To run it again:\n  ${again}`;
  const alloc = await until(exampleMs, async () => {
    const all = await json("/v1/job/hello/allocations");
    return all.find((a) => a.DesiredStatus === "run" && a.ClientStatus === "running");
  });
  const id = alloc.ID;
  const address = base === "http://127.0.0.1:4646" ? "" : `--address ${base} `;
  return `The example job "hello" runs as allocation ${id}
  its log       curl -N '${base}/v1/client/fs/logs/${id}?task=hello&type=stdout&plain=true&follow=true'
  a shell in it bin/allocd exec ${address}${id} /bin/sh
  its state     curl '${base}/v1/allocation/${id}?pretty'
  stop it       curl -X DELETE ${base}/v1/job/hello`;
}

async function running() {
  const all = await json("/v1/allocations", { signal: AbortSignal.timeout(2000) });
  return all.filter((a) => a.ClientStatus === "running");
}

function farewell(left) {
  if (left.length === 0) return "\nThe agent has ended. No task was running.";
  const names = left.slice(0, 5).map((a) => `${a.JobID} (allocation ${a.ID.slice(0, 8)})`);
  const rest = left.length > names.length ? ` and ${left.length - names.length} more` : "";
  return `\nThe agent has ended. Still running without it: ${names.join(", ")}${rest}.
"npm start" finds them again. To stop one for good, do so and then:
  curl -X DELETE ${base}/v1/job/${encodeURIComponent(left[0].JobID)}`;
}

async function json(path, options) {
  const answer = await fetch(base + path, options);
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** The first truthy result, or an error after `ms`. */
async function until(ms, attempt) {
  const end = Date.now() + ms;
  for (;;) {
    let reason = "nothing yet";
    const value = await attempt().catch((error) => {
      reason = error.cause?.message ?? error.message;
    });
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms / 1000} s (${reason})`);
    await sleep(100, undefined, { ref: true });
  }
}

function inUse() {
  return new Promise((done) => {
    const socket = connect(Number(given.port), host);
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}

/** A path as it is best read: from the working directory when it is below. */
function shown(path) {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : `./${near}`;
}
