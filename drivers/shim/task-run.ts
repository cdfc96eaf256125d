import { closeSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Cgroup, CgroupHierarchy } from "./cgroup.js";
import { type FifoPool, openReader } from "./fifo-pool.js";
import type { TerminalHandover } from "./handover.js";
import type { Launcher } from "./launcher.js";
import { isAlive, kill, type ProcessIdentity, pidsWithMarker, readStat, signalProcess } from "./proc.js";
import type { OutputLoss, RunExit, RunInfo, RunSpec } from "./protocol.js";
import { openTerminal } from "./pty.js";
import type { RunDir } from "./run-dir.js";
import { TaskOutput } from "./task-output.js";

/** A start that takes longer (a directory on a dead network file system) is answered without its process's number. */
const startDeadlineMs = 10_000;
/** How long a signal waits for a command that is on its way. */
const commandDeadlineMs = 2_000;
/** The size of a task's terminal, which nobody looks at. */
const taskTerminal = { rows: 24, cols: 80 };

/** By this variable strays are found where there are no cgroups. The guard does not have it, so that the scan spares it. */
const runMarker = "ALLOCD_RUN";

export interface TaskRunDeps {
  readonly hierarchy: CgroupHierarchy | { readonly description: string; readonly create: null };
  readonly fifos: FifoPool;
  readonly launcher: Launcher;
  /** The FIFO by which guards say that there is news. */
  readonly noticePath: string;
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
  /** Our own end of the task's terminal, held until the task has ended so that it is not hung up on its way out. */
  #slave = -1;
  #terminalPath = "";
  #exit: RunExit | null = null;
  #ending: Promise<RunExit> | null = null;
  #starting: Promise<void> = Promise.resolve();
  /** Ends the wait of a start: without a word when the command runs, with the reason when it does not. */
  #onLaunched: ((failure?: string) => void) | null = null;
  #releasing: Promise<void> | null = null;
  /** Whether the main process was gone when the run was taken over: its number may have been given to others meanwhile. */
  #wasGone = false;
  readonly #output: TaskOutput;

  /** Called once, when the run has ended and its output is in the log. */
  onExit: (exit: RunExit) => void = () => {};
  /** Called when output of the run begins to be lost, and when its log goes on. */
  onLoss: (stream: "stdout" | "stderr", loss: OutputLoss) => void = () => {};

  constructor(dir: RunDir, spec: Spec, deps: TaskRunDeps) {
    this.runId = dir.runId;
    this.#dir = dir;
    this.#spec = spec;
    this.#deps = deps;
    this.#output = new TaskOutput(spec.logs, (stream, loss) => {
      const text = loss.isOver ? "output was lost; the log goes on" : "output is lost: the log can not be written";
      deps.log(text, { runId: dir.runId, stream, error: loss.reason, lostBytes: loss.bytes });
      this.onLoss(stream, loss);
    });
  }

  get info(): RunInfo {
    const { cwd, user } = this.#spec;
    return { runId: this.runId, pid: this.#main?.pid ?? 0, exit: this.#exit, members: this.#members(), cwd, user };
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

  /** Resolves when the command runs. @throws when it can not be started; nothing is left then. */
  start(env: Readonly<Record<string, string>>): Promise<void> {
    this.#starting = this.#start(env);
    return this.#starting;
  }

  /** Resolves when the command was started. @throws as `start` does. */
  get started(): Promise<void> {
    return this.#starting;
  }

  async #start(env: Readonly<Record<string, string>>): Promise<void> {
    try {
      this.#makeCgroup();
      const tty = this.#openOutput();
      const launched = this.#launched();
      this.#launch(env, tty);
      await launched;
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  #launched(): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (failure?: string): void => {
        clearTimeout(timer);
        this.#onLaunched = null;
        if (failure === undefined) resolve();
        else reject(new Error(failure));
      };
      const timer = setTimeout(end, startDeadlineMs);
      this.#onLaunched = end;
    });
  }

  /**
   * Goes on with a run that an earlier shim has started.
   *
   * @param terminal the task's terminal, where that shim could hand it over.
   */
  adopt(terminal?: TerminalHandover): void {
    const { main } = this.#dir.read();
    this.#wasGone = main === undefined || !isAlive(main);
    // Whatever can not be had again, the task is not the one to pay for it.
    this.#attempt("its cgroup can not be found again", () => this.#makeCgroup());
    if (!this.#spec.tty && this.#spec.logs) {
      for (const stream of ["stdout", "stderr"] as const) {
        this.#attempt("its output can not be read", () => this.#output.read(openReader(this.#dir.fifo(stream)), "fifo", stream));
      }
    }
    if (terminal) {
      this.#slave = terminal.slave;
      this.#terminalPath = terminal.path;
      this.#output.read(terminal.master, "pty", "stdout");
    }
    if (this.#spec.tty && !terminal) this.#loseTerminal();
    else this.#look();
  }

  /** Stops reading, for a successor that will. @returns the task's terminal, if it has one. */
  async handOver(): Promise<TerminalHandover | null> {
    await this.#starting.catch(() => {});
    await this.#ending;
    const [master] = this.#output.stop();
    if (!this.#spec.tty || master === undefined || this.#exit) return null;
    return { master, slave: this.#slave, path: this.#terminalPath };
  }

  /** Undoes `handOver`. */
  takeBack(): void {
    this.#output.resume();
    this.check();
  }

  /** The guard could not be started. */
  failed(failure: string): void {
    this.#onLaunched?.(failure);
  }

  /** The guard has ended, or who started it has, so that nobody will say whether it is there. */
  guardGone(): void {
    if (this.#onLaunched && !this.#dir.wasStarted()) this.#onLaunched("the launcher of commands was killed");
    else this.check();
  }

  /** Looks at the records: the guard has written something, or time has passed. */
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
    const { guard, main, exit } = this.#dir.read();
    this.#guard = guard;
    this.#main = main;
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
    await this.#output.close();
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

  /** @returns the path of the task's terminal, if it has one. */
  #openOutput(): string | null {
    const { tty, logs, user } = this.#spec;
    if (tty) {
      const terminal = openTerminal(taskTerminal, user);
      this.#slave = terminal.slave;
      this.#terminalPath = terminal.path;
      this.#output.read(terminal.master, "pty", "stdout");
      return terminal.path;
    }
    for (const stream of logs ? (["stdout", "stderr"] as const) : []) {
      this.#deps.fifos.place(this.#dir.fifo(stream));
      this.#output.read(openReader(this.#dir.fifo(stream)), "fifo", stream);
    }
    return null;
  }

  #launch(env: Readonly<Record<string, string>>, tty: string | null): void {
    const { argv, user, cwd, oomScoreAdj, logs } = this.#spec;
    this.#deps.launcher.startRun({
      id: this.runId,
      argv,
      env: { ...env, [runMarker]: this.runId },
      cwd,
      user,
      oomScoreAdj,
      tty,
      output: logs && !tty ? { stdout: this.#dir.fifo("stdout"), stderr: this.#dir.fifo("stderr") } : null,
      runDir: this.#dir.path,
      notice: this.#deps.noticePath,
      guardCgroups: this.#cgroup?.wrapperDirs ?? [],
      cgroups: this.#cgroup?.mainDirs ?? [],
    });
  }

  /** Reads the records and draws the conclusion. */
  #look(): void {
    if (!this.running) return;
    const { guard, main, exit, failure } = this.#dir.read();
    this.#guard = guard;
    this.#main = main;
    if (failure !== undefined) this.#didNotStart(failure);
    else if (exit) this.#finish(exit);
    else if (guard ? !isAlive(guard) : !this.#onLaunched) this.#guardIsGone();
    if (main) this.#onLaunched?.();
  }

  /** Who waits for the start is told; for a successor it is the end of the run. */
  #didNotStart(failure: string): void {
    if (this.#onLaunched) this.#onLaunched(failure);
    else this.#finish({ exitCode: -1, signal: 0, error: failure });
  }

  #guardIsGone(): void {
    // It may have written its last words between our two looks.
    const { exit } = this.#dir.read();
    if (exit) this.#finish(exit);
    else this.#end("unknown: the guard was killed");
  }

  /** What the guard might still say comes too late, and so does a command that it has not started yet. */
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
    await this.#output.end();
    const oomKilled = exit.exitCode !== 0 && (this.#cgroup?.oomKills() ?? 0) > 0;
    this.#exit = { ...exit, oomKilled, error: oomKilled && exit.error === "" ? "OOM Killed" : exit.error };
    this.onExit(this.#exit);
    return this.#exit;
  }

  async #killTree(): Promise<void> {
    if (this.#main && this.#leadsGroup(this.#main)) kill(-this.#main.pid, 9);
    if (this.#cgroup) {
      if (!(await this.#cgroup.killMain())) this.#deps.log("processes do not die", { runId: this.runId });
      if (this.#spec.cgroup.override === null) return;
    }
    for (let round = 0; round < 10; round++) {
      const strays = pidsWithMarker(`${runMarker}=${this.runId}`);
      if (strays.length === 0) return;
      for (const pid of strays) kill(pid, 9);
      await pause(5 << Math.min(round, 5));
    }
  }

  /**
   * Whether the main process's number still names its group: as long as a member is left the number is not given away;
   * when the guard has waited for it and no member is left, it may be, after a while.
   */
  #leadsGroup(main: ProcessIdentity): boolean {
    const stat = readStat(main.pid);
    return stat === undefined ? !this.#wasGone : stat.startTime === main.startTime;
  }

  /** One that was taken over may not be there yet. */
  async #commandIsThere(): Promise<void> {
    await this.#starting.catch(() => {});
    for (const deadline = performance.now() + commandDeadlineMs; this.running && !this.#main; await pause(1)) {
      if (performance.now() > deadline) return;
      this.#look();
    }
  }

  async #waitForRecord(): Promise<void> {
    for (let wait = 1; this.running && wait < 4_000; wait *= 2) {
      await pause(wait);
      this.#look();
    }
    if (this.running) this.#end("unknown: the guard did not say how the command ended");
    await this.#ending;
  }
}
