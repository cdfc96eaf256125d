import { execFile } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Cgroup } from "./cgroup.js";
import type { SessionHandover, TerminalHandover } from "./handover.js";
import type { Launcher } from "./launcher.js";
import type { SessionPipes, StartedSession } from "./launcher-process.js";
import { OutputPump } from "./output-pump.js";
import { kill, pidsWithMarker, readStat } from "./proc.js";
import { type SessionExit, type SessionInfo, type SessionSpec, unackedLimitBytes } from "./protocol.js";
import { openTerminal, resizeTerminal, type TerminalSize } from "./pty.js";
import { descriptorOf } from "./stream-handle.js";
import { TerminalInput } from "./terminal-input.js";

/** A client that is gone: how long its command has after HUP, and again after TERM. */
const endGraceMs = 1_000;
/** A terminal in raw mode has no end of input: how long its command may go on after its user closed stdin. */
const rawHangupMs = 5_000;
/** Control-D, which a terminal in canonical mode takes for the end of input. */
const endOfTransmission = Buffer.from([4]);

/** After a takeover: how long a session waits for its client. */
const attachMs = 10_000;
/** How long a takeover waits for a command to take the input that it was given. */
const inputDeadlineMs = 1_000;

const sessionMarker = "ALLOCD_SESSION";

export interface SessionDeps {
  readonly launcher: Launcher;
  /** The cgroup of the task beside which the command runs; null without cgroups. */
  readonly cgroup: Cgroup | null;
  log(message: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface SessionListener {
  output(stream: 1 | 2, bytes: Buffer): void;
  closed(stream: 1 | 2): void;
  exited(exit: SessionExit): void;
  /** Whether output has to wait since what was given to the listener is not on its way yet; `goOn` is called when it is. */
  isFull(): boolean;
}

/** A command beside a task, for one client. */
export class ExecSession {
  readonly #spec: SessionSpec;
  readonly #deps: SessionDeps;
  readonly #listener: SessionListener;
  readonly #pumps = new Map<1 | 2, OutputPump>();
  /** Of the command, which leads a session and a group of its own; 0 until it runs. */
  #pid = 0;
  #launcher = 0;
  #exit: SessionExit | null = null;
  #starting: Promise<void> = Promise.resolve();
  #isOver = false;
  #onOver: () => void = () => {};
  /** Of a command without a terminal. */
  #pipe: Socket | undefined;
  #terminal: TerminalInput | undefined;
  #master = -1;
  /**
   * Our own end of the terminal, held until the command has ended: without it the terminal would be hung up as soon as the
   * command has closed its output, and a command on its way to its exit would die by HUP instead.
   */
  #slave = -1;
  #terminalPath = "";
  #unacked = 0;
  /** Outputs that were handed over and are not read yet. */
  #waiting: SessionHandover["outputs"][number][] = [];
  #onAttached: () => void = () => {};
  #held = false;
  #reason = "";
  #ending = false;
  /** Resolves when all is over and nothing is left. */
  readonly finished: Promise<void>;
  #onFinished: () => void = () => {};

  constructor(spec: SessionSpec, deps: SessionDeps, listener: SessionListener) {
    this.#spec = spec;
    this.#deps = deps;
    this.#listener = listener;
    this.finished = new Promise((resolve) => {
      this.#onFinished = resolve;
    });
  }

  /** Resolves when the command runs. @throws when it can not be started; nothing is left then. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { sessionId, argv, env, cwd, user, tty } = this.#spec;
    try {
      const cgroups = this.#deps.cgroup?.session(sessionId) ?? [];
      const terminal = tty && this.#openTerminal(tty);
      const command = { id: sessionId, argv, env: { ...env, [sessionMarker]: sessionId }, cwd, user, cgroups, tty: terminal };
      const { pid, launcher, pipes, exited } = await this.#deps.launcher.startSession(command);
      this.#pid = pid;
      this.#launcher = launcher;
      if (pipes) this.#openPipes(pipes);
      void this.#finish(exited);
    } catch (error) {
      // It may have come to its command before whoever started it was lost.
      await this.#killTree();
      for (const pump of this.#pumps.values()) pump.close();
      this.#closeInput();
      if (this.#slave >= 0) closeSync(this.#slave);
      await this.#removeCgroup();
      this.#onFinished();
      throw error;
    }
  }

  /** Goes on with one that an earlier shim has started; its output waits for `attach`. */
  adopt({ pid, launcher, cgroup, exit, unacked, terminal, stdin, outputs }: SessionHandover): void {
    this.#pid = pid;
    this.#launcher = launcher;
    this.#unacked = unacked;
    if (cgroup !== null) this.#deps.cgroup?.adoptSession(this.#spec.sessionId, cgroup);
    if (stdin !== null) this.#openInput(stdin);
    if (terminal) this.#useTerminal(terminal);
    this.#waiting = [...outputs];
    const ended = exit ? Promise.resolve(exit) : this.#deps.launcher.awaitSession(this.#spec.sessionId, launcher);
    const abandoned = setTimeout(() => void this.end("the client is gone"), attachMs);
    const attached = new Promise<void>((resolve) => {
      this.#onAttached = () => {
        clearTimeout(abandoned);
        resolve();
      };
    });
    void this.#finish(ended, attached);
  }

  /** Its client is there: the output that an earlier shim has not read flows. */
  attach(): void {
    this.#openWaiting();
    this.#onAttached();
  }

  #openWaiting(): void {
    for (const { stream, fd } of this.#waiting.splice(0)) this.#pump(fd, this.#spec.tty ? "pty" : "fifo", stream);
  }

  /** Stops, and tells what a successor needs to go on. @returns null when it has ended meanwhile, or had to. */
  async handOver(): Promise<SessionHandover | null> {
    await this.#starting.catch(() => {});
    if (!this.#ending && !(await this.#inputTaken())) await this.end("the shim was replaced while the command did not take its input");
    if (this.#ending || this.#pid === 0) {
      await this.finished;
      return null;
    }
    const outputs = [...this.#pumps].flatMap(([stream, pump]) => {
      const fd = pump.stop();
      return fd === undefined ? [] : [{ stream, fd }];
    });
    return {
      spec: { ...this.#spec, env: {} },
      pid: this.#pid,
      launcher: this.#launcher,
      cgroup: this.#deps.cgroup?.sessionName(this.#spec.sessionId) ?? null,
      exit: this.#exit,
      unacked: this.#unacked,
      terminal: this.#spec.tty && { master: this.#master, slave: this.#slave, path: this.#terminalPath },
      stdin: this.#pipe && !this.#pipe.writableEnded ? (descriptorOf(this.#pipe) ?? null) : null,
      outputs: [...outputs, ...this.#waiting],
    };
  }

  /** Undoes `handOver`. */
  takeBack(): void {
    for (const pump of this.#pumps.values()) pump.resume();
  }

  /** What was given to the command is in its pipe or terminal: what is not can not be handed over. */
  async #inputTaken(): Promise<boolean> {
    let taken = false;
    const pipe = this.#pipe;
    const drained =
      this.#terminal?.drained ?? (pipe && pipe.writableLength > 0 ? new Promise((resolve) => pipe.once("drain", resolve)) : undefined);
    const done = Promise.resolve(drained).then(() => {
      taken = true;
    });
    await Promise.race([done, pause(inputDeadlineMs, undefined, { ref: false })]);
    return taken;
  }

  get info(): SessionInfo {
    return { sessionId: this.#spec.sessionId, runId: this.#spec.runId, pid: this.#pid };
  }

  /** Resolves when the bytes were taken by the command's pipe or terminal, or can not be taken any more. */
  async stdin(bytes: Buffer, close: boolean): Promise<void> {
    await this.#starting.catch(() => {});
    if (this.#terminal) {
      await this.#terminal.write(bytes);
      if (close) this.#endOfTerminalInput();
      return;
    }
    const pipe = this.#pipe;
    if (!pipe || pipe.destroyed || pipe.writableEnded) return;
    if (bytes.length > 0)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          pipe.off("close", done);
          resolve();
        };
        pipe.once("close", done);
        pipe.write(bytes, done);
      });
    if (close) pipe.end();
  }

  resize(size: TerminalSize): void {
    if (this.#terminal && !this.#terminal.closed) resizeTerminal(this.#master, size);
  }

  ack(bytes: number): void {
    this.#unacked = Math.max(0, this.#unacked - bytes);
    this.goOn();
  }

  /** Lets the output flow again if nothing holds it back any more. */
  goOn(): void {
    if (!this.#held || !this.#mayFlow()) return;
    this.#held = false;
    for (const pump of this.#pumps.values()) pump.resume();
  }

  #mayFlow(): boolean {
    return this.#unacked <= unackedLimitBytes && !this.#listener.isFull();
  }

  /** Ends the command and its whole tree: HUP, then TERM, then KILL. Resolves when nothing is left. */
  async end(reason: string): Promise<void> {
    await this.#starting.catch(() => {});
    if (!this.#ending) {
      this.#ending = true;
      this.#reason = reason;
      this.#closeInput();
      for (const signal of [constants.signals.SIGHUP, constants.signals.SIGTERM]) {
        if (!this.#signalTree(signal)) break;
        await Promise.race([this.#over(), pause(endGraceMs, undefined, { ref: false })]);
      }
      await this.#killTree();
      this.#openWaiting();
      this.#onAttached();
      for (const pump of this.#pumps.values()) pump.close();
    }
    await this.finished;
  }

  async #finish(exited: StartedSession["exited"], attached: Promise<void> = Promise.resolve()): Promise<void> {
    const exit = await exited;
    this.#exit = exit;
    this.#isOver = true;
    this.#onOver();
    // Nobody waits for the command any more.
    if (exit.reason !== "") await this.#killTree();
    if (this.#slave >= 0) closeSync(this.#slave);
    await attached;
    await Promise.all([...this.#pumps.values()].map((pump) => pump.ended));
    this.#closeInput();
    this.#listener.exited({ ...exit, reason: exit.reason || this.#reason });
    await this.#removeCgroup();
    this.#onFinished();
  }

  async #removeCgroup(): Promise<void> {
    await this.#deps.cgroup?.removeSession(this.#spec.sessionId).catch((error: NodeJS.ErrnoException) => {
      // A background child that let go of the output goes on: its cgroup is removed with the task's.
      if (error.code !== "EBUSY") this.#deps.log("a session's cgroup can not be removed", { ...this.info, error: error.message });
    });
  }

  #openInput(stdin: number): void {
    const pipe = new Socket({ fd: stdin, readable: false, writable: true });
    // The command has closed its stdin, which is its right.
    pipe.on("error", () => pipe.destroy());
    this.#pipe = pipe;
  }

  #openPipes({ stdin, stdout, stderr }: SessionPipes): void {
    this.#openInput(stdin);
    this.#pump(stdout, "fifo", 1);
    this.#pump(stderr, "fifo", 2);
  }

  /** @returns its path. */
  #openTerminal(size: TerminalSize): string {
    const terminal = openTerminal(size, this.#spec.user);
    this.#useTerminal(terminal);
    this.#pump(terminal.master, "pty", 1);
    return terminal.path;
  }

  #useTerminal({ master, slave, path }: TerminalHandover): void {
    this.#master = master;
    this.#slave = slave;
    this.#terminalPath = path;
    // Its output's reader owns the descriptor.
    this.#terminal = new TerminalInput(master, () => [...this.#pumps.values()].every((pump) => pump.isOpen));
  }

  #pump(fd: number, kind: "fifo" | "pty", stream: 1 | 2): OutputPump {
    const pump = new OutputPump(fd, kind, (bytes) => {
      this.#listener.output(stream, bytes);
      this.#unacked += bytes.length;
      const flows = this.#mayFlow();
      // One that was told to wait is not forgotten since another may flow.
      if (!flows) this.#held = true;
      return flows;
    });
    this.#pumps.set(stream, pump);
    void pump.ended.then(() => this.#listener.closed(stream));
    return pump;
  }

  #endOfTerminalInput(): void {
    execFile("/usr/bin/stty", ["-a", "-F", this.#terminalPath], { timeout: endGraceMs }, (error, modes) => {
      if (error || this.#ending) return;
      if (/(^|\s)icanon/.test(modes)) {
        void this.#terminal?.write(endOfTransmission);
        return;
      }
      const hangup = setTimeout(() => void this.end("the client closed stdin"), rawHangupMs);
      void this.finished.then(() => clearTimeout(hangup));
    });
  }

  #closeInput(): void {
    this.#pipe?.destroy();
    this.#terminal?.close();
  }

  /** @returns false when nobody was there. */
  #signalTree(signal: number): boolean {
    return this.#pid > 0 && !this.#isOver && (kill(-this.#pid, signal) || kill(this.#pid, signal));
  }

  #over(): Promise<void> {
    return this.#isOver
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#onOver = resolve;
        });
  }

  async #killTree(): Promise<void> {
    if (this.#pid > 0 && (!this.#isOver || readStat(this.#pid) === undefined)) kill(-this.#pid, 9);
    if (this.#deps.cgroup?.isOurs) {
      await this.#deps.cgroup.killSession(this.#spec.sessionId);
      return;
    }
    for (let round = 0; round < 10; round++) {
      const strays = pidsWithMarker(`${sessionMarker}=${this.#spec.sessionId}`);
      if (strays.length === 0) return;
      for (const stray of strays) kill(stray, 9);
      await pause(5 << Math.min(round, 5));
    }
  }
}
