import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Cgroup, CgroupHierarchy } from "./cgroup.js";
import { type FifoPool, openOutput, openReader } from "./fifo-pool.js";
import { closingFds, commandLine, guardName, guardScript, guardShell, isInFront, procsFiles } from "./launch.js";
import { OutputPump } from "./output-pump.js";
import {
  identify,
  isAlive,
  kill,
  type ProcessIdentity,
  pidsWithMarker,
  commandLine as processCommandLine,
  readStat,
  signalProcess,
} from "./proc.js";
import type { RunExit, RunInfo, RunSpec } from "./protocol.js";
import { openTerminal } from "./pty.js";
import { RotatingLog } from "./rotating-log.js";
import type { RunDir } from "./run-dir.js";

/** How long output is still read when the tree is gone but somebody else holds its FIFO. */
const drainDeadlineMs = 2_000;
/** How long the launch wrapper and the programs in front of a command may take before a signal is sent all the same. */
const execDeadlineMs = 2_000;
/** The size of a task's terminal, which nobody looks at. */
const taskTerminal = { rows: 24, cols: 80 };

/** By this variable strays are found where there are no cgroups. The launch wrapper does not have it, so that the scan spares it. */
const runMarker = "ALLOCD_RUN";

export interface TaskRunDeps {
  readonly hierarchy: CgroupHierarchy | { readonly description: string; readonly create: null };
  readonly fifos: FifoPool;
  /** The FIFO by which launch wrappers say that there is news. */
  readonly noticePath: string;
  /** Descriptors that must not reach a child. */
  readonly masters: Set<number>;
  log(message: string, fields: Readonly<Record<string, unknown>>): void;
}

type Spec = Omit<RunSpec, "env">;

/** One run of one task, from the start or the takeover to the release. */
export class TaskRun {
  readonly runId: string;
  readonly #dir: RunDir;
  readonly #spec: Spec;
  readonly #deps: TaskRunDeps;
  #cgroup: Cgroup | null = null;
  #guard: ProcessIdentity | undefined;
  #main: ProcessIdentity | undefined;
  #pid = 0;
  /** Our own end of the task's terminal, held until the task has ended so that it is not hung up on its way out. */
  #slave = -1;
  #exit: RunExit | null = null;
  #ending: Promise<RunExit> | null = null;
  #starting: Promise<void> = Promise.resolve();
  #releasing: Promise<void> | null = null;
  /** Whether an earlier shim started it: its processes' numbers may have been given to others while nobody looked. */
  #isAdopted = false;
  readonly #pumps: OutputPump[] = [];
  readonly #logs: RotatingLog[] = [];

  /** Called once, when the run has ended and its output is in the log. */
  onExit: (exit: RunExit) => void = () => {};

  constructor(dir: RunDir, spec: Spec, deps: TaskRunDeps) {
    this.runId = dir.runId;
    this.#dir = dir;
    this.#spec = spec;
    this.#deps = deps;
  }

  get info(): RunInfo {
    const { cwd, user } = this.#spec;
    return { runId: this.runId, pid: this.#pid, exit: this.#exit, members: this.#members(), cwd, user };
  }

  #members(): string {
    const [dir] = this.#cgroup?.mainDirs ?? [];
    return dir === undefined || this.#spec.cgroup.override !== null ? "" : `${dir}/cgroup.procs`;
  }

  /** The same for all runs of a task. */
  get cgroupPath(): string {
    return this.#spec.cgroup.path;
  }

  get cgroup(): Cgroup | null {
    return this.#cgroup;
  }

  get running(): boolean {
    return this.#exit === null && this.#ending === null;
  }

  /** Starts the launch wrapper, which starts the command. @throws when it can not be started; nothing is left then. */
  start(env: Readonly<Record<string, string>>): Promise<void> {
    this.#starting = this.#start(env);
    return this.#starting;
  }

  /** Resolves when the launch wrapper was started. @throws as `start` does. */
  get started(): Promise<void> {
    return this.#starting;
  }

  async #start(env: Readonly<Record<string, string>>): Promise<void> {
    try {
      this.#makeCgroup();
      const stdio = this.#openOutput();
      try {
        this.#spawn(env, stdio);
      } finally {
        for (const fd of new Set(stdio.filter((fd) => typeof fd === "number"))) if (fd !== this.#slave) closeSync(fd);
      }
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  /** Goes on with a run that an earlier shim has started. */
  adopt(): void {
    this.#isAdopted = true;
    const guardPid = this.#dir.guardPid();
    if (guardPid > 0 && processCommandLine(guardPid).includes(this.#dir.path)) this.#guard = identify(guardPid);
    // Whatever can not be had again, the task is not the one to pay for it.
    this.#attempt("its cgroup can not be found again", () => this.#makeCgroup());
    if (!this.#spec.tty && this.#spec.logs) {
      for (const stream of ["stdout", "stderr"] as const) {
        this.#attempt("its output can not be read", () => this.#pump(openReader(this.#dir.fifo(stream)), "fifo", stream));
      }
    }
    if (this.#spec.tty) this.#loseTerminal();
    else this.#look();
  }

  /** Looks at the records: the launch wrapper has written something, or time has passed. */
  check(): void {
    if (this.running) this.#look();
  }

  /** @returns whether the main process was there. */
  async signal(signal: number): Promise<boolean> {
    await this.#commandIsThere();
    return this.running && this.#main !== undefined && signalProcess(this.#main, signal);
  }

  /** SIGKILL to the whole tree; resolves when the run has ended. */
  async kill(): Promise<void> {
    if (this.#exit) return;
    await this.#commandIsThere();
    await this.#killTree();
    this.#look();
    await (this.#ending ?? this.#waitForRecord());
  }

  /** Removes what is left of an ended run; once, for the next run of the task may stand in the same place already. */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    await this.kill();
    await this.#cgroup
      ?.remove()
      .catch((error: Error) => this.#deps.log("a cgroup can not be removed", { runId: this.runId, error: error.message }));
    this.#dir.remove();
  }

  #loseTerminal(): void {
    const error = "terminal lost with the shim";
    const exit = this.#dir.exit();
    this.#pid = this.#dir.pid();
    // The kernel hangs a lost terminal up, which is the end of most programs.
    if (exit) this.#finish(exit.signal === constants.signals.SIGHUP ? { ...exit, error } : exit);
    else this.#end(error);
  }

  #closeSlave(): void {
    if (this.#slave >= 0) closeSync(this.#slave);
    this.#slave = -1;
  }

  async #abandon(): Promise<void> {
    this.#closeSlave();
    for (const pump of this.#pumps) pump.close();
    for (const log of this.#logs) log.close();
    await this.#cgroup
      ?.remove()
      .catch((error: Error) => this.#deps.log("a cgroup can not be removed", { runId: this.runId, error: error.message }));
    this.#dir.remove();
  }

  #attempt(failure: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#deps.log(`taking over a run: ${failure}`, { runId: this.runId, error: (error as Error).message });
    }
  }

  #makeCgroup(): void {
    const { hierarchy } = this.#deps;
    if (hierarchy.create === null) return;
    this.#cgroup = (hierarchy as CgroupHierarchy).create(this.#spec.cgroup);
  }

  /** @returns what the launch wrapper gets as 0, 1, 2 and 3, which is the command's stdin. */
  #openOutput(): (number | "ignore")[] {
    const { tty, logs, user } = this.#spec;
    if (tty) {
      const terminal = openTerminal(taskTerminal, user);
      this.#deps.masters.add(terminal.master);
      const pump = this.#pump(terminal.master, "pty", "stdout");
      void pump.ended.then(() => this.#deps.masters.delete(terminal.master));
      this.#slave = terminal.slave;
      return ["ignore", terminal.slave, terminal.slave, terminal.slave];
    }
    const nothing = openSync("/dev/null", "r");
    if (!logs) return ["ignore", "ignore", "ignore", nothing];
    const opened: number[] = [];
    try {
      for (const stream of ["stdout", "stderr"] as const) {
        this.#deps.fifos.place(this.#dir.fifo(stream));
        const { ours, theirs } = openOutput(this.#dir.fifo(stream), user);
        opened.push(theirs);
        this.#pump(ours, "fifo", stream);
      }
    } catch (error) {
      for (const fd of [...opened, nothing]) closeSync(fd);
      throw error;
    }
    return ["ignore", ...opened, nothing];
  }

  #pump(fd: number, kind: "fifo" | "pty", stream: "stdout" | "stderr"): OutputPump {
    let log: RotatingLog | undefined;
    let failed = false;
    const append = (bytes: Buffer): void => {
      try {
        log ??= this.#openLog(stream);
        log?.write(bytes);
        failed = false;
      } catch (error) {
        // A log that can not be written must not hold up the task: it is read on and the loss is said once.
        if (!failed) this.#deps.log("output is lost: the log can not be written", { runId: this.runId, stream, error: String(error) });
        failed = true;
      }
    };
    // The file is there from the start.
    append(Buffer.alloc(0));
    const pump = new OutputPump(fd, kind, (bytes) => {
      append(bytes);
      return true;
    });
    this.#pumps.push(pump);
    return pump;
  }

  #openLog(stream: "stdout" | "stderr"): RotatingLog | undefined {
    const { logs } = this.#spec;
    if (!logs) return undefined;
    const { dir, prefix, maxFiles, maxFileBytes } = logs;
    const log = new RotatingLog({ dir, name: `${prefix}.${stream}`, maxFiles, maxFileBytes });
    this.#logs.push(log);
    return log;
  }

  #spawn(env: Readonly<Record<string, string>>, stdio: (number | "ignore")[]): void {
    const { argv, user, cwd, tty, oomScoreAdj } = this.#spec;
    const command = commandLine({
      argv,
      user,
      env: { ...env },
      session: tty ? "ctty" : "new",
      resetSignals: true,
      late: [`${runMarker}=${this.runId}`],
    });
    const guard = [guardShell, "-c", guardScript, guardName];
    const places = [this.#dir.path, this.#deps.noticePath, this.runId, String(oomScoreAdj)];
    const words = closingFds(
      [...this.#deps.masters],
      [...guard, ...places, procsFiles(this.#cgroup?.wrapperDirs ?? []), procsFiles(this.#cgroup?.mainDirs ?? []), ...command.argv],
    );
    const child = spawn(words[0] as string, words.slice(1), { cwd, env: command.env, stdio, detached: true });
    child.unref();
    child.once("error", (error) => this.#end(`unknown: the launch wrapper did not start: ${error.message}`));
    child.once("exit", () => this.#look());
    this.#watchGuard(child);
  }

  #watchGuard(child: ChildProcess): void {
    if (child.pid !== undefined) this.#guard = identify(child.pid);
  }

  /** Reads the records and draws the conclusion. */
  #look(): void {
    if (!this.running) return;
    if (this.#pid === 0) {
      this.#pid = this.#dir.pid();
      if (this.#pid > 0) this.#identifyMain();
    }
    const exit = this.#dir.exit();
    if (exit) this.#finish(exit);
    else if (!this.#guard || !isAlive(this.#guard)) this.#guardIsGone();
  }

  #identifyMain(): void {
    // The wrapper waits for its child: as long as that holds, the number can not belong to anyone else.
    if (this.#guard && readStat(this.#pid)?.ppid === this.#guard.pid) this.#main = identify(this.#pid);
  }

  #guardIsGone(): void {
    // It may have written its last words between our two looks.
    const exit = this.#dir.exit();
    if (exit) this.#finish(exit);
    else this.#end("unknown: the launch wrapper was killed");
  }

  /** What the launch wrapper might still say comes too late, and so does a command that it has not started yet. */
  #end(error: string): void {
    if (this.#guard && isAlive(this.#guard)) kill(-this.#guard.pid, 9);
    this.#finish({ exitCode: -1, signal: 0, error });
  }

  #finish(exit: Omit<RunExit, "oomKilled">): void {
    this.#ending ??= this.#settle(exit);
  }

  /** Nothing of the tree outlives its main process, and the last bytes are in the log before anyone is told. */
  async #settle(exit: Omit<RunExit, "oomKilled">): Promise<RunExit> {
    await this.#killTree().catch((error: Error) =>
      this.#deps.log("not all processes could be killed", { runId: this.runId, error: error.message }),
    );
    this.#closeSlave();
    const drained = Promise.all(this.#pumps.map((pump) => pump.ended));
    const late = new AbortController();
    await Promise.race([drained, pause(drainDeadlineMs, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    for (const pump of this.#pumps) pump.close();
    await drained;
    for (const log of this.#logs) log.close();
    const oomKilled = exit.exitCode !== 0 && (this.#cgroup?.oomKills() ?? 0) > 0;
    this.#exit = { ...exit, oomKilled, error: oomKilled && exit.error === "" ? "OOM Killed" : exit.error };
    this.onExit(this.#exit);
    return this.#exit;
  }

  async #killTree(): Promise<void> {
    if (this.#pid > 0 && this.#leadsGroup()) kill(-this.#pid, 9);
    if (this.#cgroup) {
      if (!(await this.#cgroup.killMain())) this.#deps.log("processes do not die", { runId: this.runId });
      if (this.#spec.cgroup.override === null) return;
    }
    for (let round = 0; round < 10; round++) {
      const strays = pidsWithMarker(`${runMarker}=${this.runId}`).filter((pid) => pid !== this.#guard?.pid);
      if (strays.length === 0) return;
      for (const pid of strays) kill(pid, 9);
      await pause(5 << Math.min(round, 5));
    }
  }

  /**
   * Whether the main process's number still names its group: as long as a member is left the number is not given away;
   * when the wrapper has waited for it and no member is left, it may be, after a while.
   */
  #leadsGroup(): boolean {
    const stat = readStat(this.#pid);
    return stat === undefined ? !this.#isAdopted || this.#main !== undefined : stat.startTime === this.#main?.startTime;
  }

  /** There may be no process yet, and the shell's background job does not hear INT and QUIT until the programs in front of the command have reset the signals. */
  async #commandIsThere(): Promise<void> {
    const deadline = performance.now() + execDeadlineMs;
    const isOnItsWay = (): boolean => this.#pid === 0 || (identify(this.#pid) !== undefined && isInFront(processCommandLine(this.#pid)));
    while (this.running && isOnItsWay() && performance.now() < deadline) await pause(1);
  }

  async #waitForRecord(): Promise<void> {
    for (let wait = 1; this.running && wait < 4_000; wait *= 2) {
      await pause(wait);
      this.#look();
    }
    if (this.running) this.#end("unknown: the launch wrapper did not say how the command ended");
    await this.#ending;
  }
}
