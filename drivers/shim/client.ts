import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { corkForTurn } from "../cork.js";
import { dial } from "./dial.js";
import { encodeFrame, FrameDecoder, maxFrameBytes } from "./frames.js";
import {
  type Notice,
  type OutputLoss,
  protocolVersion,
  type ReplyHeader,
  type Request,
  type RunExit,
  type RunInfo,
  type RunSpec,
  type SessionExit,
  type SessionSpec,
  ShimError,
  type ShimHello,
  type ShimList,
  type ShimProgram,
  type TmpfsMount,
  unackedLimitBytes,
} from "./protocol.js";

/** How long a shim may take from its start to its first answer. */
const startDeadlineMs = 10_000;
const retryMs = 5;
/** One that died on its way is started again without waiting for the deadline; of two that are on their way one goes. */
const relaunchMs = 1_000;
const attempts = 5;
/** Between attempts to bring a shim back: a dying one may still take connections, one that dies at once must not be restarted without end. */
const reviveMs = { first: 10, most: 1_000 };

export interface ShimClientDeps {
  /** The shim's socket. */
  readonly path: string;
  /** Starts a shim; called when none answers. */
  launch(): void;
  /** The shim that came with this agent: one that is older hands over to it. Absent: the one that is there will do. */
  readonly program?: ShimProgram;
  /** When it was built, in Unix milliseconds. */
  readonly builtAt?: number;
  /** Told when a task's log can not be written. */
  lost?(runId: string, stream: "stdout" | "stderr", loss: OutputLoss): void;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export interface SessionHandler {
  output(stream: 1 | 2, bytes: Buffer): void;
  closed(stream: 1 | 2): void;
  exited(exit: SessionExit): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The agent's end of the shim's socket. A shim that dies is started again, and what it held is taken up from its records. */
export class ShimClient {
  readonly #deps: ShimClientDeps;
  #socket: Socket | undefined;
  #connecting: Promise<Socket> | undefined;
  #closed = false;
  /** Whether the shim at the other end has said that another has taken over. */
  #moved = false;
  #nextId = 1;
  readonly #pending = new Map<number, Pending>();
  /** Runs that were not released: how they ended, or who waits for it. */
  readonly #runs = new Map<string, { exit?: RunExit; readonly waiting: ((exit: RunExit) => void)[] }>();
  readonly #sessions = new Map<string, { readonly handler: SessionHandler; unacked: number; isStarted: boolean }>();
  readonly #losses = new Map<string, (stream: "stdout" | "stderr", loss: OutputLoss) => void>();
  #hello: ShimHello | undefined;

  constructor(deps: ShimClientDeps) {
    this.#deps = deps;
  }

  /** What the connected shim said of itself. */
  get hello(): ShimHello | undefined {
    return this.#hello;
  }

  /** Finds or starts the shim, and has an older one replaced. @throws ShimError when none comes up. */
  async start(): Promise<ShimHello> {
    await this.#connected();
    const { program, builtAt = 0, log } = this.#deps;
    // One that does not say when it was built does not know how to hand over.
    if (program && (this.#hello?.builtAt ?? builtAt) < builtAt) {
      try {
        await this.upgrade(program);
      } catch (error) {
        // Its tasks and sessions are served as before.
        log.warn({ err: error }, "the older shim could not be replaced");
      }
    }
    return this.#hello as ShimHello;
  }

  /**
   * Has the shim replaced by another version of it, with no interruption of tasks and sessions.
   *
   * @returns the number of the one that has taken over.
   * @throws ShimError when it does not come up; then all is as before.
   */
  async upgrade(program: ShimProgram): Promise<number> {
    const socket = await this.#connected();
    const { pid } = (await this.#send(socket, { op: "upgrade", program })) as { readonly pid: number };
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    await this.#connected();
    this.#deps.log.info({ shimPid: pid }, "a newer shim has taken over");
    return pid;
  }

  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }

  async list(): Promise<ShimList> {
    return (await this.#insist({ op: "list" })) as ShimList;
  }

  async startRun(run: RunSpec): Promise<RunInfo> {
    return (await this.#insist({ op: "run.start", run })) as RunInfo;
  }

  /** Resolves when the run has ended, over deaths of the shim too. Ask `list` first for one that an earlier agent started. */
  waitRun(runId: string): Promise<RunExit> {
    const run = this.#run(runId);
    return run.exit ? Promise.resolve(run.exit) : new Promise((resolve) => run.waiting.push(resolve));
  }

  /** Calls the listener when output of the run could not be written to its log. It is the only one. */
  onLoss(runId: string, listener: (stream: "stdout" | "stderr", loss: OutputLoss) => void): void {
    this.#losses.set(runId, listener);
  }

  /** @returns whether the main process was there. */
  async signalRun(runId: string, signal: number): Promise<boolean> {
    return ((await this.#insist({ op: "run.signal", runId, signal })) as { reached: boolean }).reached;
  }

  async killRun(runId: string): Promise<void> {
    await this.#insist({ op: "run.kill", runId });
  }

  async releaseRun(runId: string): Promise<void> {
    await this.#insist({ op: "run.release", runId });
    this.#runs.delete(runId);
    this.#losses.delete(runId);
  }

  /** Whether the shim that is connected can mount. */
  get canMount(): boolean {
    return this.#hello?.mounts === true;
  }

  async mountTmpfs(mount: TmpfsMount): Promise<void> {
    await this.#insist({ op: "mount.tmpfs", mount });
  }

  async unmountBelow(below: string): Promise<void> {
    await this.#insist({ op: "mount.remove", below });
  }

  /** The handler is called until `exited`, which is last. */
  async startSession(session: SessionSpec, handler: SessionHandler): Promise<void> {
    const entry = { handler, unacked: 0, isStarted: false };
    this.#sessions.set(session.sessionId, entry);
    try {
      await this.#request({ op: "session.start", session });
      entry.isStarted = true;
    } catch (error) {
      this.#sessions.delete(session.sessionId);
      throw error;
    }
  }

  /** Resolves when the command has taken the bytes. */
  async sessionStdin(sessionId: string, bytes: Buffer, close: boolean): Promise<void> {
    await this.#request({ op: "session.stdin", sessionId, close }, bytes);
  }

  async resizeSession(sessionId: string, rows: number, cols: number): Promise<void> {
    await this.#request({ op: "session.resize", sessionId, rows, cols });
  }

  /** So much of a session's output was passed on. The shim is told by the quarter of what it lets pass without a word. */
  async ackSession(sessionId: string, bytes: number): Promise<void> {
    const session = this.#sessions.get(sessionId);
    if (!session) return;
    session.unacked += bytes;
    if (session.unacked < unackedLimitBytes / 4) return;
    const acked = session.unacked;
    session.unacked = 0;
    await this.#request({ op: "session.ack", sessionId, bytes: acked });
  }

  async endSession(sessionId: string, reason: string): Promise<void> {
    await this.#request({ op: "session.end", sessionId, reason });
  }

  /** Asks again when the shim dies under a request: its successor knows what has been done of it. */
  async #insist(request: Request): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request(request);
      } catch (error) {
        if (this.#closed || attempt === attempts || !(error instanceof ShimError) || error.code !== "ESRCH") throw error;
      }
    }
  }

  /** What comes while one shim takes over from another is asked of the one that has. */
  async #request(request: Request, payload?: Buffer): Promise<unknown> {
    for (;;) {
      const socket = await this.#connected();
      try {
        return await this.#send(socket, request, payload);
      } catch (error) {
        if (!(error instanceof ShimError) || error.code !== "EMOVED") throw error;
        await pause(retryMs);
      }
    }
  }

  #send(socket: Socket, request: Request, payload?: Buffer): Promise<unknown> {
    const id = this.#nextId++;
    const frame = encodeFrame({ ...request, id }, payload);
    return new Promise((resolve, reject) => {
      // The shim would end the connection, and with it every session.
      if (frame.length > maxFrameBytes) return reject(new ShimError("ESTART", "the command and its environment are too long"));
      // Until its end is told, a connection that was given up is still the one that is known.
      if (socket.destroyed) return reject(new ShimError(this.#moved ? "EMOVED" : "ESRCH", "the shim is gone"));
      this.#pending.set(id, { resolve, reject });
      corkForTurn(socket);
      socket.write(frame);
    });
  }

  #connected(): Promise<Socket> {
    if (this.#closed) return Promise.reject(new ShimError("ESRCH", "the agent is ending"));
    if (this.#socket) return Promise.resolve(this.#socket);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<Socket> {
    let socket = await dial(this.#deps.path);
    if (!socket) {
      const begun = performance.now();
      for (let launched = -1; !socket; socket = await dial(this.#deps.path)) {
        const waited = performance.now() - begun;
        if (this.#closed) throw new ShimError("ESRCH", "the agent is ending");
        if (waited > startDeadlineMs) throw new ShimError("ESTART", `no shim answers at ${this.#deps.path} after ${startDeadlineMs} ms`);
        if (Math.floor(waited / relaunchMs) > launched) {
          launched = Math.floor(waited / relaunchMs);
          this.#deps.launch();
        }
        await pause(retryMs);
      }
    }
    this.#listen(socket);
    try {
      this.#hello = (await this.#send(socket, { op: "hello", version: protocolVersion })) as ShimHello;
      await this.#takeUp(socket);
      if (this.#closed || socket.destroyed) throw new ShimError("ESRCH", "the connection to the shim has ended");
    } catch (error) {
      socket.destroy();
      throw error;
    }
    this.#socket = socket;
    return socket;
  }

  /** What ended while no shim was there, or none was connected; and the sessions that were handed over go on. */
  async #takeUp(socket: Socket): Promise<void> {
    const waited = [...this.#runs].filter(([, run]) => run.waiting.length > 0);
    const handedOver = this.#startedSessions();
    const { runs, sessions } = (await this.#send(socket, { op: "list" })) as ShimList;
    const held = new Set(sessions.map(({ sessionId }) => sessionId));
    for (const sessionId of handedOver) {
      if (held.has(sessionId)) await this.#send(socket, { op: "session.attach", sessionId });
      else this.#loseSession(sessionId);
    }
    for (const { runId, exit } of runs) if (exit) this.#exited(runId, exit);
    const known = new Set(runs.map((run) => run.runId));
    for (const [runId] of waited) {
      if (!known.has(runId))
        this.#exited(runId, { exitCode: -1, signal: 0, oomKilled: false, error: "unknown: the records of the run are gone" });
    }
  }

  #listen(socket: Socket): void {
    const decoder = new FrameDecoder<ReplyHeader>();
    socket.on("data", (chunk) => {
      try {
        for (const { header, payload } of decoder.push(chunk)) this.#receive(header, payload);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", (error) => this.#deps.log.warn({ err: error }, "the connection to the shim failed"));
    socket.on("close", () => this.#lost());
  }

  #receive(header: ReplyHeader, payload: Buffer): void {
    if ("notice" in header) {
      this.#notice(header, payload);
      return;
    }
    const pending = this.#pending.get(header.id);
    this.#pending.delete(header.id);
    if (header.ok) pending?.resolve(header.result);
    else pending?.reject(new ShimError(header.code, header.message));
  }

  #notice(notice: Notice, payload: Buffer): void {
    switch (notice.notice) {
      case "moved":
        this.#moved = true;
        return;
      case "run.exited":
        this.#exited(notice.runId, notice.exit);
        return;
      case "run.lost":
        this.#deps.lost?.(notice.runId, notice.stream, notice.loss);
        this.#losses.get(notice.runId)?.(notice.stream, notice.loss);
        return;
      case "session.output":
        this.#sessions.get(notice.sessionId)?.handler.output(notice.stream, payload);
        return;
      case "session.closed":
        this.#sessions.get(notice.sessionId)?.handler.closed(notice.stream);
        return;
      case "session.exited": {
        const session = this.#sessions.get(notice.sessionId);
        this.#sessions.delete(notice.sessionId);
        session?.handler.exited(notice.exit);
      }
    }
  }

  #run(runId: string): { exit?: RunExit; readonly waiting: ((exit: RunExit) => void)[] } {
    let run = this.#runs.get(runId);
    if (!run) {
      run = { waiting: [] };
      this.#runs.set(runId, run);
    }
    return run;
  }

  /** Kept for whoever asks later: an end may come in one chunk with the reply to the start or the list. */
  #exited(runId: string, exit: RunExit): void {
    const run = this.#run(runId);
    run.exit = exit;
    for (const resolve of run.waiting.splice(0)) resolve(exit);
  }

  /** Of the others whoever starts them is told. */
  #startedSessions(): string[] {
    return [...this.#sessions].flatMap(([sessionId, { isStarted }]) => (isStarted ? [sessionId] : []));
  }

  #loseSession(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    this.#sessions.delete(sessionId);
    session?.handler.exited({ exitCode: -1, signal: 0, reason: "the shim is gone" });
  }

  #lost(): void {
    this.#socket = undefined;
    const moved = this.#moved;
    this.#moved = false;
    for (const pending of this.#pending.values()) pending.reject(new ShimError(moved ? "EMOVED" : "ESRCH", "the shim is gone"));
    this.#pending.clear();
    if (!moved) for (const sessionId of this.#startedSessions()) this.#loseSession(sessionId);
    if (!this.#closed && !this.#connecting) void this.#revive(moved);
  }

  /** Tasks block when nobody reads their output, so a new shim must come at once. */
  async #revive(moved: boolean): Promise<void> {
    for (let wait = reviveMs.first; !this.#closed; wait = Math.min(wait * 2, reviveMs.most)) {
      try {
        const { pid } = await this.start();
        if (!moved) this.#deps.log.warn({ shimPid: pid }, "the shim was gone; a new one has taken over its tasks");
        return;
      } catch (error) {
        this.#deps.log.warn({ err: error }, "no shim comes up");
        await pause(wait);
      }
    }
  }
}
