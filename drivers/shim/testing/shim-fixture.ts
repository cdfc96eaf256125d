import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type SessionHandler, ShimClient } from "../client.js";
import { allPids, commandLine, identify, kill } from "../proc.js";
import type { RunExit, RunSpec, SessionExit, SessionSpec, ShimProgram } from "../protocol.js";

/** A real shim process of the built tree, with directories of its own. */
export class ShimFixture {
  readonly dir = mkdtempSync(join(tmpdir(), "allocd-shim-test-"));
  readonly runtimeDir = join(this.dir, "run");
  readonly logDir = join(this.dir, "logs");
  /** Cgroups of this fixture alone. */
  readonly slice = `allocd-test-${process.pid}-${Date.now().toString(36)}`;
  readonly client: ShimClient;
  /** What a test has mounted below `dir`; taken away at the end. */
  readonly mounts: string[] = [];
  /** Starts one more shim, whether there is one or not. */
  readonly launch: () => void;

  /** The shim of the built tree. */
  readonly program: ShimProgram;

  private constructor(launch: (runtimeDir: string, logFile: string) => void, program: ShimProgram, logFile: string) {
    this.program = program;
    mkdirSync(this.logDir);
    mkdirSync(this.runtimeDir, { mode: 0o700 });
    const ignore = (): void => {};
    this.launch = () => launch(this.runtimeDir, logFile === "" ? join(this.dir, "shim.log") : logFile);
    this.client = new ShimClient({ path: join(this.runtimeDir, "shim.sock"), launch: this.launch, log: { info: ignore, warn: ignore } });
  }

  /** @param prepare called before the first shim is started. */
  static async start({ logFile = "", prepare = (_: ShimFixture): void => {} } = {}): Promise<ShimFixture> {
    // The shim is a process of the built tree; jest runs the sources.
    const built = fileURLToPath(new URL("../../../dist/drivers/shim/start-shim.js", import.meta.url));
    const { launchShim } = (await import(pathToFileURL(built).href)) as typeof import("../start-shim.js");
    const { shimProgram } = (await import(new URL("program.js", pathToFileURL(built)).href)) as typeof import("../program.js");
    const fixture = new ShimFixture(launchShim, shimProgram, logFile);
    prepare(fixture);
    await fixture.pid();
    return fixture;
  }

  async pid(): Promise<number> {
    return (await this.client.start()).pid;
  }

  spec(runId: string, script: string, change: Partial<RunSpec> = {}): RunSpec {
    return {
      runId,
      argv: ["/bin/sh", "-c", script],
      env: { PATH: "/usr/bin:/bin" },
      cwd: this.dir,
      user: null,
      oomScoreAdj: 0,
      tty: false,
      logs: { dir: this.logDir, prefix: runId, maxFiles: 5, maxFileBytes: 64 * 1024 * 1024 },
      cgroup: { path: `${this.slice}/${runId}`, memoryMax: null, memoryLow: null, cpuShares: 100, override: null },
      ...change,
    };
  }

  /** Starts a run, waits for its end and releases it. */
  async run(runId: string, script: string, change: Partial<RunSpec> = {}): Promise<RunExit & { stdout: string; stderr: string }> {
    const exit = await this.exit(await this.client.startRun(this.spec(runId, script, change)));
    await this.client.releaseRun(runId);
    return { ...exit, stdout: this.log(runId, "stdout"), stderr: this.log(runId, "stderr") };
  }

  /** The main process's number, once it is known. */
  async pidOf(runId: string): Promise<number> {
    for (;;) {
      const pid = (await this.client.list()).runs.find((run) => run.runId === runId)?.pid ?? 0;
      if (pid > 0) return pid;
      await pause(5);
    }
  }

  exit(info: { readonly runId: string; readonly exit: RunExit | null }): Promise<RunExit> {
    return info.exit ? Promise.resolve(info.exit) : this.client.waitRun(info.runId);
  }

  log(runId: string, stream: "stdout" | "stderr"): string {
    return readdirSync(this.logDir)
      .filter((name) => name.startsWith(`${runId}.${stream}.`))
      .sort((a, b) => Number(a.split(".").at(-1)) - Number(b.split(".").at(-1)))
      .map((name) => readFileSync(join(this.logDir, name), "utf8"))
      .join("");
  }

  /** Runs a session to its end. */
  async session(
    spec: Partial<SessionSpec> & Pick<SessionSpec, "sessionId" | "runId" | "argv">,
    during: (text: () => string) => Promise<void> = async () => {},
  ): Promise<SessionExit & { stdout: string; stderr: string }> {
    const output = { 1: [] as Buffer[], 2: [] as Buffer[] };
    const text = (stream: 1 | 2): string => Buffer.concat(output[stream]).toString();
    const { sessionId } = spec;
    return new Promise((resolve, reject) => {
      const handler: SessionHandler = {
        output: (stream, bytes) => {
          output[stream].push(Buffer.from(bytes));
          void this.client.ackSession(sessionId, bytes.length);
        },
        closed: () => {},
        exited: (exit) => resolve({ ...exit, stdout: text(1), stderr: text(2) }),
      };
      this.client
        .startSession({ env: { PATH: "/usr/bin:/bin" }, cwd: this.dir, user: null, tty: null, ...spec }, handler)
        .then(() => during(() => text(1)))
        .catch(reject);
    });
  }

  #shims(): number[] {
    return allPids().filter((pid) => commandLine(pid).includes(this.runtimeDir) && runs(pid));
  }

  /** Ends the shims and removes everything. @returns what was left behind. */
  async close(): Promise<string[]> {
    const { runs } = await this.client.list();
    for (const { runId } of runs) await this.client.releaseRun(runId);
    this.client.close();
    // Of two that were on their way at once the other may come up only now.
    await until(() => this.#shims().every((pid) => !kill(pid, 15)));
    const cgroups = ["memory", "cpu", "freezer", "."].map((name) => `/sys/fs/cgroup/${name}/${this.slice}`).filter(existsSync);
    const left = cgroups.flatMap((dir) =>
      readdirSync(dir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => `${dir}/${entry.name}`),
    );
    for (const dir of cgroups) if (left.length === 0) rmdirSync(dir);
    // A guard on its way to its end has the FIFO of notices open.
    for (const dir of this.mounts) await until(() => spawnSync("umount", [dir]).status === 0);
    rmSync(this.dir, { recursive: true });
    return left;
  }
}

/** Waits for something that the kernel does in its own time. @throws after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${condition.toString()}`);
    await pause(5);
  }
}

/** A zombie is gone: who reaps it is up to the host's init. */
export const runs = (pid: number): boolean => identify(pid) !== undefined;
