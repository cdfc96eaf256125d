import { execFileSync } from "node:child_process";
import { constants, existsSync, mkdirSync, openSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { findHierarchy } from "./cgroup.js";
import { ExecSession, type SessionDeps, type SessionListener } from "./exec-session.js";
import { FifoPool } from "./fifo-pool.js";
import { type Handover, type SessionHandover, startSuccessor } from "./handover.js";
import { Launcher } from "./launcher.js";
import { Mounts } from "./mounts.js";
import { OutputPump } from "./output-pump.js";
import { readBootId } from "./proc.js";
import { shimBuiltAt } from "./program.js";
import {
  type Notice,
  protocolVersion,
  type Request,
  type RunInfo,
  type RunSpec,
  type SessionSpec,
  ShimError,
  type ShimHello,
  type ShimList,
  type ShimProgram,
} from "./protocol.js";
import { leftRuns, RunDir } from "./run-dir.js";
import { TaskRun, type TaskRunDeps } from "./task-run.js";

/** Guards say that there is news; should a word of theirs be lost, the records are looked at this often. */
const lookEveryMs = 1_000;
/** Exec sessions at once, over all tasks of the host. */
const maxSessions = 1_024;

/** Where notices go: the client that started the session, or all. */
export interface Peer {
  send(notice: Notice, payload?: Buffer): void;
  /** Whether output for it has to wait; `drained` is called when it need not any more. */
  isFull(): boolean;
}

/**
 * The owner of every raw process of this host. It knows nothing of jobs and keeps no state but what stands in the
 * runtime directory, so that a successor finds all of it.
 */
export class Shim {
  readonly #runsDir: string;
  readonly #deps: TaskRunDeps;
  readonly #runs = new Map<string, TaskRun>();
  readonly #sessions = new Map<string, { readonly session: ExecSession; peer: Peer | null; readonly runId: string }>();
  readonly #mounts: Mounts;
  readonly #peers = new Set<Peer>();
  readonly #bootId = readBootId();
  readonly #notices: OutputPump;
  #timer: NodeJS.Timeout;
  readonly #dir: string;
  /** Whether a successor is taking over: nothing may be begun any more. */
  #isMoving = false;

  /**
   * @param dir the runtime directory: on tmpfs, 0700, this shim's own.
   * @param handover what the shim before us has handed over, if one has.
   */
  constructor(dir: string, log: TaskRunDeps["log"], handover?: Handover) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#forgetEarlierBoot(dir);
    this.#runsDir = `${dir}/runs`;
    mkdirSync(this.#runsDir, { recursive: true, mode: 0o700 });
    rmSync(`${dir}/fifos`, { recursive: true, force: true });
    mkdirSync(`${dir}/fifos`, { mode: 0o700 });
    const noticePath = `${dir}/notice`;
    if (!existsSync(noticePath)) execFileSync("/usr/bin/mkfifo", ["-m", "600", noticePath]);
    const launcher = new Launcher(dir, handover?.launchers);
    launcher.onRun = (runId, failure) => {
      if (failure === null) this.#runs.get(runId)?.guardGone();
      else this.#runs.get(runId)?.failed(failure);
    };
    this.#mounts = new Mounts(launcher);
    this.#deps = { hierarchy: findHierarchy(), fifos: new FifoPool(`${dir}/fifos`), launcher, noticePath, log };
    // Open both ways: a FIFO whose last writer goes would be at its end.
    this.#notices = new OutputPump(openSync(noticePath, constants.O_RDWR | constants.O_NONBLOCK), "fifo", (bytes) => this.#onNotice(bytes));
    this.#timer = setInterval(() => this.#lookAtAll(), lookEveryMs);
    this.#adoptAll(handover?.terminals ?? {});
    for (const session of handover?.sessions ?? []) this.#adoptSession(session);
  }

  async handle(request: Exclude<Request, { readonly op: "upgrade" }>, payload: Buffer, peer: Peer): Promise<unknown> {
    if (this.#isMoving) throw new ShimError("EMOVED", "another shim is taking over");
    switch (request.op) {
      case "hello":
        return this.#hello(request.version);
      case "list":
        return this.#list();
      case "run.start":
        return this.#startRun(request.run);
      case "run.signal":
        return { reached: await this.#run(request.runId).signal(request.signal) };
      case "run.kill":
        await this.#run(request.runId).kill();
        return {};
      case "run.release":
        return this.#release(request.runId);
      case "session.start":
        return this.#startSession(request.session, peer);
      case "session.stdin":
        // One that has just ended takes no input, and nobody has made a mistake.
        await this.#sessions.get(request.sessionId)?.session.stdin(payload, request.close);
        return {};
      case "session.resize":
        this.#session(request.sessionId).resize(request);
        return {};
      case "session.ack":
        this.#sessions.get(request.sessionId)?.session.ack(request.bytes);
        return {};
      case "session.attach":
        return this.#attach(request.sessionId, peer);
      case "mount.tmpfs":
        await this.#mounts.addTmpfs(request.mount);
        return {};
      case "mount.remove":
        await this.#mounts.removeBelow(request.below);
        return {};
      case "session.end":
        await this.#sessions.get(request.sessionId)?.session.end(request.reason);
        return {};
    }
  }

  join(peer: Peer): void {
    this.#peers.add(peer);
  }

  /** A client has taken what was sent: output for it goes on. */
  drained(peer: Peer): void {
    for (const { session, peer: owner } of this.#sessions.values()) if (owner === peer) session.goOn();
  }

  /** A client is gone: tasks go on, the sessions that it had opened end. */
  leave(peer: Peer): void {
    this.#peers.delete(peer);
    // They are a successor's now, or ours again at once.
    if (this.#isMoving) return;
    for (const { session, peer: owner } of this.#sessions.values()) if (owner === peer) void session.end("the client is gone");
  }

  /** Ends sessions and timers; tasks and their records stay for the successor. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#sessions.values()].map(({ session }) => session.end("the shim ends")));
    this.#notices.close();
    this.#deps.launcher.close();
  }

  /**
   * Lets a successor take over.
   *
   * @param lockFd the lock of the runtime directory.
   * @returns the successor's number; this shim has nothing to do any more then.
   * @throws when it does not come up; then all is as before.
   */
  async handOver(program: ShimProgram, lockFd: number): Promise<number> {
    if (this.#isMoving) throw new ShimError("EMOVED", "another shim is taking over");
    this.#isMoving = true;
    try {
      clearInterval(this.#timer);
      return await startSuccessor(program, this.#dir, lockFd, await this.#handover());
    } catch (error) {
      this.#takeBack();
      throw new ShimError("ESTART", (error as Error).message, { cause: error });
    }
  }

  async #handover(): Promise<Handover> {
    const sessions = await Promise.all([...this.#sessions.values()].map(({ session }) => session.handOver()));
    const terminals = await Promise.all([...this.#runs.values()].map(async (run) => [run.runId, await run.handOver()] as const));
    this.#notices.stop();
    return {
      launchers: this.#deps.launcher.handOver(),
      sessions: sessions.filter((session) => session !== null),
      terminals: Object.fromEntries(terminals.flatMap(([runId, terminal]) => (terminal ? [[runId, terminal]] : []))),
    };
  }

  #takeBack(): void {
    this.#isMoving = false;
    this.#timer = setInterval(() => this.#lookAtAll(), lookEveryMs);
    this.#deps.launcher.takeBack();
    this.#notices.resume();
    for (const { session } of this.#sessions.values()) session.takeBack();
    for (const run of this.#runs.values()) run.takeBack();
  }

  #adoptSession(handover: SessionHandover): void {
    const { spec } = handover;
    const session = new ExecSession(spec, this.#sessionDeps(this.#runs.get(spec.runId)), this.#listener(spec.sessionId));
    this.#sessions.set(spec.sessionId, { session, peer: null, runId: spec.runId });
    session.adopt(handover);
  }

  #attach(sessionId: string, peer: Peer): object {
    const entry = this.#sessions.get(sessionId);
    if (!entry) throw new ShimError("ENOENT", `session ${sessionId} is not known`);
    entry.peer = peer;
    entry.session.attach();
    return {};
  }

  #hello(version: number): ShimHello {
    if (version !== protocolVersion) throw new ShimError("EVERSION", `protocol ${version} is not known here, this is ${protocolVersion}`);
    return {
      version: protocolVersion,
      pid: process.pid,
      builtAt: shimBuiltAt,
      bootId: this.#bootId,
      cgroups: this.#deps.hierarchy.description,
      mounts: process.getuid?.() === 0,
    };
  }

  #list(): ShimList {
    return {
      runs: [...this.#runs.values()].map((run) => run.info),
      sessions: [...this.#sessions.values()].map(({ session }) => session.info),
    };
  }

  async #startRun(spec: RunSpec): Promise<RunInfo> {
    await this.#releaseEarlier(spec);
    const known = this.#runs.get(spec.runId);
    try {
      if (known) await known.started;
      else await this.#start(spec);
    } catch (error) {
      throw new ShimError("ESTART", (error as Error).message, { cause: error });
    }
    return this.#run(spec.runId).info;
  }

  async #start(spec: RunSpec): Promise<void> {
    const dir = new RunDir(this.#runsDir, spec.runId);
    dir.create(spec);
    const { env, ...kept } = spec;
    try {
      await this.#register(dir, kept).start(env);
    } catch (error) {
      this.#runs.delete(spec.runId);
      throw error;
    }
  }

  /** A task has one run at a time. Whoever starts the next one has given up the one before, known to be started or not. */
  async #releaseEarlier({ runId, cgroup: { path } }: RunSpec): Promise<void> {
    const earlier = [...this.#runs.values()].filter((run) => run.runId !== runId && run.cgroupPath === path);
    for (const run of earlier) await this.#release(run.runId);
  }

  #register(dir: RunDir, spec: Omit<RunSpec, "env">): TaskRun {
    const run = new TaskRun(dir, spec, this.#deps);
    run.onExit = (exit) => {
      for (const { session, runId } of this.#sessions.values()) if (runId === run.runId) void session.end("the task has ended");
      for (const peer of this.#peers) peer.send({ notice: "run.exited", runId: run.runId, exit });
    };
    run.onLoss = (stream, loss) => {
      for (const peer of this.#peers) peer.send({ notice: "run.lost", runId: run.runId, stream, loss });
    };
    this.#runs.set(run.runId, run);
    return run;
  }

  async #release(runId: string): Promise<object> {
    const run = this.#runs.get(runId);
    if (run) {
      const beside = [...this.#sessions.values()].filter((entry) => entry.runId === runId);
      await Promise.all(beside.map(({ session }) => session.end("the task has ended")));
      await run.release();
      this.#runs.delete(runId);
    }
    return {};
  }

  async #startSession(spec: SessionSpec, peer: Peer): Promise<object> {
    const run = this.#run(spec.runId);
    if (this.#sessions.size >= maxSessions) throw new ShimError("ELIMIT", `there are ${maxSessions} sessions already`);
    const { sessionId } = spec;
    if (!run.running) throw new ShimError("ESRCH", "the task is not running");
    const session = new ExecSession(spec, this.#sessionDeps(run), this.#listener(sessionId));
    this.#sessions.set(sessionId, { session, peer, runId: spec.runId });
    try {
      await session.start();
    } catch (error) {
      this.#sessions.delete(sessionId);
      throw new ShimError("ESTART", (error as Error).message, { cause: error });
    }
    return session.info;
  }

  #sessionDeps(run: TaskRun | undefined): SessionDeps {
    return { ...this.#deps, cgroup: run?.cgroup ?? null };
  }

  /** Tells whoever is the session's client at the time. */
  #listener(sessionId: string): SessionListener {
    const peer = (): Peer | null => this.#sessions.get(sessionId)?.peer ?? null;
    return {
      isFull: () => peer()?.isFull() ?? true,
      output: (stream, bytes) => peer()?.send({ notice: "session.output", sessionId, stream }, bytes),
      closed: (stream) => peer()?.send({ notice: "session.closed", sessionId, stream }),
      exited: (exit) => {
        peer()?.send({ notice: "session.exited", sessionId, exit });
        this.#sessions.delete(sessionId);
      },
    };
  }

  #run(runId: string): TaskRun {
    const run = this.#runs.get(runId);
    if (!run) throw new ShimError("ENOENT", `run ${runId} is not known`);
    return run;
  }

  #session(sessionId: string): ExecSession {
    const entry = this.#sessions.get(sessionId);
    if (!entry) throw new ShimError("ENOENT", `session ${sessionId} is not known`);
    return entry.session;
  }

  /** One line a word: `pid <run>` or `exit <run>`. A torn or strange line costs nothing: the records are what counts. */
  #onNotice(bytes: Buffer): boolean {
    for (const line of bytes.toString("utf8").split("\n")) this.#runs.get(line.slice(line.indexOf(" ") + 1))?.check();
    return true;
  }

  #lookAtAll(): void {
    for (const run of this.#runs.values()) run.check();
  }

  #adoptAll(terminals: Handover["terminals"]): void {
    for (const dir of leftRuns(this.#runsDir)) {
      try {
        // Otherwise the command was never started, and its agent will ask again.
        if (dir.wasStarted()) this.#register(dir, dir.spec()).adopt(terminals[dir.runId]);
        else dir.remove();
      } catch (error) {
        this.#deps.log("a run can not be taken over", { runId: dir.runId, error: (error as Error).message });
      }
    }
  }

  /** After a reboot no process of the records is left, and their numbers belong to others. */
  #forgetEarlierBoot(dir: string): void {
    const file = `${dir}/boot-id`;
    const earlier = existsSync(file) ? readFileSync(file, "utf8") : "";
    if (earlier === this.#bootId) return;
    rmSync(`${dir}/runs`, { recursive: true, force: true });
    if (existsSync(`${dir}/notice`)) unlinkSync(`${dir}/notice`);
    writeFileSync(file, this.#bootId, { mode: 0o600 });
  }
}
