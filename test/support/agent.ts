import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allocd, environment, freePort } from "./command.js";
import { cgroupsIn, cgroupsNamed, type HostProcess, isAlive, mountsBelow, processesAbout } from "./host.js";
import { type Answer, type AskOptions, ask } from "./http.js";
import { leftOnHost } from "./leaks.js";
import { waitFor } from "./wait.js";

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it knows to be there
type Json = any;

export interface TestAgentOptions {
  /** Settings of the configuration file, over those that keep the agent to itself. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Called before the first start, to put something in the agent's way. */
  readonly prepare?: (agent: TestAgent) => void;
}

/** How long a start may take until the API answers. */
const startMs = 15_000;
/** How long an agent may take to end after SIGTERM. */
const endMs = 10_000;

/** A real agent process on a free port, with directories and a cgroup of its own. */
export class TestAgent {
  readonly root = mkdtempSync(join(tmpdir(), "allocd-test-"));
  readonly dataDir = join(this.root, "data");
  readonly runtimeDir = join(this.root, "run");
  readonly cgroupParent = `allocd-test-${randomBytes(4).toString("hex")}.slice`;
  readonly configFile = join(this.root, "agent.json");
  readonly #logFile = join(this.root, "agent.log");
  readonly #options: TestAgentOptions;
  #port = 0;
  #process: ChildProcess | undefined;

  constructor(options: TestAgentOptions = {}) {
    this.#options = options;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** @throws Error when no agent runs. */
  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("the agent does not run");
    return pid;
  }

  /** What it has written to stdout and stderr, over all its starts. */
  get log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, "utf8") : "";
  }

  /**
   * Starts it, for the first time or on what an earlier process has left, and waits until it answers.
   *
   * @param health what it has to say of itself: 500 is that something is wrong.
   */
  async start(health: 200 | 500 = 200): Promise<this> {
    if (!this.#port) this.#options.prepare?.(this);
    this.#port ||= await freePort();
    const { client, ...config } = { client: {}, ...this.#options.config };
    const own = { port: this.#port, data_dir: this.dataDir, runtime_dir: this.runtimeDir };
    writeFileSync(
      this.configFile,
      JSON.stringify({ ...own, ...config, client: { cgroup_parent: this.cgroupParent, ...(client as object) } }),
    );
    const log = openSync(this.#logFile, "a");
    const child = spawn(allocd, ["agent", "--config", this.configFile], {
      cwd: this.root,
      env: environment(this.#options.env),
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#process = child;
    child.once("exit", () => {
      if (this.#process === child) this.#process = undefined;
    });
    const ended = (): boolean => this.#process !== child;
    const answers = async (): Promise<boolean> => (await ask(`${this.url}/v1/agent/health`, "GET")).status === health;
    await waitFor("the agent to answer", async () => ended() || (await answers()), startMs);
    if (ended()) throw new Error("the agent has ended before it answered");
    return this;
  }

  /** SIGTERM, as a service manager ends it. @returns the exit code. */
  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** kill -9: the agent has no chance to do anything more. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (!child) return null;
    const ended = new Promise<number | null>((done) => child.once("exit", done));
    child.kill(signal);
    await waitFor(`the agent to end after ${signal}`, () => this.#process !== child, endMs);
    return ended;
  }

  get(path: string, options: AskOptions = {}): Promise<Answer> {
    return ask(this.url + path, "GET", { ...options, headers: { ...this.headers, ...options.headers } });
  }

  put(path: string, body?: unknown): Promise<Answer> {
    return ask(this.url + path, "PUT", { body, headers: this.headers });
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return ask(this.url + path, "POST", { body, headers: this.headers });
  }

  delete(path: string): Promise<Answer> {
    return ask(this.url + path, "DELETE", { headers: this.headers });
  }

  /** With access control on: the management token that the agent has written. */
  get headers(): Readonly<Record<string, string>> {
    const file = join(this.dataDir, "management.token");
    return existsSync(file) ? { "X-Nomad-Token": readFileSync(file, "utf8").trim() } : {};
  }

  /** The JSON of a GET. @throws Error for any status but 200. */
  async read(path: string): Promise<Json> {
    return expectOk(await this.get(path), `GET ${path}`).json;
  }

  /** Registers a job. @returns the answer's JSON. */
  async register(job: unknown): Promise<Json> {
    return expectOk(await this.put("/v1/jobs", { Job: job }), "PUT /v1/jobs").json;
  }

  /** Registers a job of one allocation and waits until that is as `wanted`. @returns the whole allocation. */
  async run(job: { readonly ID?: unknown }, wanted = "running"): Promise<Json> {
    await this.register(job);
    const [stub] = await this.untilAllocs(String(job.ID), `to be ${wanted}`, (all) => all.length > 0 && all[0].ClientStatus === wanted);
    return this.read(`/v1/allocation/${stub.ID}`);
  }

  /** Waits, by blocking queries, until the allocations of a job are as the test wants them. */
  untilAllocs(jobId: string, what: string, wanted: (all: readonly Json[]) => boolean, ms?: number): Promise<readonly Json[]> {
    return this.#until(`/v1/job/${encodeURIComponent(jobId)}/allocations`, `allocations of ${jobId} ${what}`, wanted, ms);
  }

  /** Waits, by blocking queries, until one allocation is as the test wants it. */
  untilAlloc(id: string, what: string, wanted: (alloc: Json) => boolean, ms?: number): Promise<Json> {
    return this.#until(`/v1/allocation/${id}`, `allocation ${id} ${what}`, wanted, ms);
  }

  async #until<T>(path: string, what: string, wanted: (value: T) => boolean, ms = 20_000): Promise<T> {
    let index = "1";
    // Each round waits for a change, so that nothing is asked in a hurry; the second bounds what a lost wake costs.
    return waitFor(
      what,
      async () => {
        const answer = expectOk(await this.get(`${path}${path.includes("?") ? "&" : "?"}index=${index}&wait=1s`), `GET ${path}`);
        index = String(answer.headers["x-nomad-index"] ?? "1");
        if (wanted(answer.json as T)) return { value: answer.json as T };
        throw new Error(`last seen ${JSON.stringify([answer.json].flat().map(brief))}`);
      },
      ms,
    ).then(({ value }) => value);
  }

  /**
   * Stops and removes all jobs and ends the agent, as an operator would, then removes the directories.
   *
   * @throws Error with whatever is left of it on the host after that.
   */
  async close(): Promise<void> {
    if (!this.#process) await this.start();
    for (const { ID, Namespace } of await this.read("/v1/jobs?namespace=*"))
      await this.delete(`/v1/job/${encodeURIComponent(ID)}?purge=true&namespace=${encodeURIComponent(Namespace)}`);
    await this.#until<readonly Json[]>("/v1/allocations?namespace=*", "all to have ended", (all) =>
      all.every((a) => ["complete", "failed", "lost"].includes(a.ClientStatus)),
    );
    const code = await this.stop();
    const left = await this.#leftBeside();
    await this.destroy();
    if (code !== 0) throw new Error(`the agent ended with exit code ${code}`);
    if (left.length > 0) throw new Error(`left on the host:\n  ${left.join("\n  ")}`);
  }

  /** The shim outlives its agent by design, so it is ended here; nothing else may be there. */
  async #leftBeside(): Promise<readonly string[]> {
    const shims = processesAbout(this.root).filter(({ command }) => /\bshim\b/.test(command));
    for (const { pid } of shims) process.kill(pid, "SIGTERM");
    await waitFor("the shim to end", () => shims.every(({ pid }) => !isAlive(pid)), endMs).catch(() => {});
    return waitFor("nothing to be left", () => leftOnHost(this.root, this.cgroupParent).length === 0, 5_000).then(
      () => [],
      () => leftOnHost(this.root, this.cgroupParent),
    );
  }

  /** Ends by force and removes whatever is there; what can not be removed was reported before. */
  async destroy(): Promise<void> {
    await waitFor("all processes to be gone", () => killAll(processesAbout(this.root)) === 0, endMs).catch(() => {});
    for (const point of mountsBelow(this.root).toReversed()) spawnSync("umount", ["--lazy", point]);
    // The kernel lets go of a killed process' cgroup a moment later.
    await waitFor("the cgroups to be gone", () => removeCgroups(this.cgroupParent) === 0, endMs).catch(() => {});
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** @returns how many there were. */
function killAll(processes: readonly HostProcess[]): number {
  for (const { pid } of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  return processes.length;
}

/** @returns how many are left. */
function removeCgroups(name: string): number {
  const all = cgroupsNamed(name).flatMap((parent) => [parent, ...cgroupsIn(parent)]);
  return all.toReversed().filter((cgroup) => {
    try {
      rmdirSync(cgroup);
      return false;
    } catch {
      return true;
    }
  }).length;
}

/** What of an allocation tells why it is not as it should be. */
const brief = ({ Name, ClientStatus, ClientDescription, DesiredStatus, TaskStates }: Json): unknown => [
  Name,
  DesiredStatus,
  ClientStatus,
  ClientDescription,
  Object.entries(TaskStates ?? {}).map(([task, state]) => [
    task,
    ...(state as Json).Events.map((event: Json) => event.DisplayMessage || event.Type),
  ]),
];

function expectOk(answer: Answer, what: string): Answer {
  if (answer.status !== 200) throw new Error(`${what}: ${answer.status} ${answer.text}`);
  return answer;
}
