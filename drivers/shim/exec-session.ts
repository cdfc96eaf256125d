import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Cgroup } from "./cgroup.js";
import type { FifoPool } from "./fifo-pool.js";
import { closingFds, commandLine, guardShell, sessionScript } from "./launch.js";
import { OutputPump } from "./output-pump.js";
import type { PipeEnds } from "./pipe-pool.js";
import { kill, pidsWithMarker, readStat } from "./proc.js";
import type { SessionExit, SessionInfo, SessionSpec } from "./protocol.js";
import { openTerminal, resizeTerminal, type TerminalSize } from "./pty.js";

/** Output that the client has not passed on yet; above it the command has to wait. */
const unackedLimitBytes = 1024 * 1024;
/** A client that is gone: how long its command has after HUP, and again after TERM. */
const endGraceMs = 1_000;
/** A terminal in raw mode has no end of input: how long its command may go on after its user closed stdin. */
const rawHangupMs = 5_000;
/** Control-D, which a terminal in canonical mode takes for the end of input. */
const endOfTransmission = Buffer.from([4]);

const defaultSize: TerminalSize = { rows: 24, cols: 80 };

const sessionMarker = "ALLOCD_SESSION";

export interface SessionDeps {
  readonly fifos: FifoPool;
  readonly masters: Set<number>;
  /** The cgroup of the task beside which the command runs; null without cgroups. */
  readonly cgroup: Cgroup | null;
  log(message: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface SessionListener {
  output(stream: 1 | 2, bytes: Buffer): void;
  closed(stream: 1 | 2): void;
  exited(exit: SessionExit): void;
}

/** A command beside a task, for one client. */
export class ExecSession {
  readonly #spec: SessionSpec;
  readonly #deps: SessionDeps;
  readonly #listener: SessionListener;
  readonly #pumps: OutputPump[] = [];
  readonly #child: ChildProcess;
  #input: Socket | undefined;
  #master = -1;
  /**
   * Our own end of the terminal, held until the command has ended: without it the terminal would be hung up as soon as the
   * command has closed its output, and a command on its way to its exit would die by HUP instead.
   */
  #slave = -1;
  #terminalPath = "";
  #unacked = 0;
  #reason = "";
  #ending = false;
  /** Resolves when all is over and nothing is left. */
  readonly finished: Promise<void>;

  /**
   * @param stdin for a command without a terminal; it is closed with the session.
   * @throws when the command can not be started; nothing is left then.
   */
  constructor(spec: SessionSpec, stdin: PipeEnds | null, deps: SessionDeps, listener: SessionListener) {
    this.#spec = spec;
    this.#deps = deps;
    this.#listener = listener;
    const dirs = deps.cgroup?.session(spec.sessionId) ?? [];
    const theirs = stdin ? this.#openPipes(stdin) : this.#openTerminal(spec.tty ?? defaultSize);
    const command = commandLine({
      argv: spec.argv,
      user: spec.user,
      env: { ...spec.env, [sessionMarker]: spec.sessionId },
      session: spec.tty ? "ctty" : "keep",
      resetSignals: false,
    });
    const files = dirs.map((dir) => `${dir}/cgroup.procs`).join(":");
    const words = closingFds([...deps.masters], [guardShell, "-c", sessionScript, "allocd-session", files, ...command.argv]);
    try {
      // With a terminal setsid(1) makes the session, for only so the terminal becomes the controlling one.
      this.#child = spawn(words[0] as string, words.slice(1), {
        cwd: spec.cwd,
        env: command.env,
        stdio: theirs,
        detached: spec.tty === null,
      });
    } catch (error) {
      for (const pump of this.#pumps) pump.close();
      this.#input?.destroy();
      if (this.#slave >= 0) closeSync(this.#slave);
      throw error;
    } finally {
      for (const fd of new Set(theirs)) if (fd !== this.#slave) closeSync(fd);
    }
    this.finished = this.#finish(this.#childExit());
  }

  get info(): SessionInfo {
    return { sessionId: this.#spec.sessionId, runId: this.#spec.runId, pid: this.#child.pid ?? 0 };
  }

  /** Resolves when the bytes were taken by the command's pipe or terminal, or can not be taken any more. */
  async stdin(bytes: Buffer, close: boolean): Promise<void> {
    const input = this.#input;
    if (!input || input.destroyed || input.writableEnded) return;
    if (bytes.length > 0)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          input.off("close", done);
          resolve();
        };
        input.once("close", done);
        input.write(bytes, done);
      });
    if (!close) return;
    if (this.#spec.tty) this.#endOfTerminalInput();
    else input.end();
  }

  resize(size: TerminalSize): void {
    if (this.#master < 0 || !this.#deps.masters.has(this.#master)) return;
    resizeTerminal(this.#master, size);
  }

  ack(bytes: number): void {
    const wasHeld = this.#unacked > unackedLimitBytes;
    this.#unacked = Math.max(0, this.#unacked - bytes);
    if (wasHeld && this.#unacked <= unackedLimitBytes) for (const pump of this.#pumps) pump.resume();
  }

  /** Ends the command and its whole tree: HUP, then TERM, then KILL. Resolves when nothing is left. */
  async end(reason: string): Promise<void> {
    if (!this.#ending) {
      this.#ending = true;
      this.#reason = reason;
      this.#input?.destroy();
      for (const pump of this.#pumps) pump.resume();
      for (const signal of [constants.signals.SIGHUP, constants.signals.SIGTERM]) {
        if (!this.#signalTree(signal)) break;
        await Promise.race([this.#childGone(), pause(endGraceMs, undefined, { ref: false })]);
      }
      await this.#killTree();
      for (const pump of this.#pumps) pump.close();
    }
    await this.finished;
  }

  async #finish(exited: Promise<SessionExit>): Promise<void> {
    const exit = await exited;
    if (this.#slave >= 0) closeSync(this.#slave);
    await Promise.all(this.#pumps.map((pump) => pump.ended));
    this.#input?.destroy();
    this.#listener.exited({ ...exit, reason: exit.reason || this.#reason });
    await this.#deps.cgroup?.removeSession(this.#spec.sessionId).catch((error: NodeJS.ErrnoException) => {
      // A background child that let go of the output goes on: its cgroup is removed with the task's.
      if (error.code !== "EBUSY") this.#deps.log("a session's cgroup can not be removed", { ...this.info, error: error.message });
    });
  }

  #childExit(): Promise<SessionExit> {
    return new Promise((resolve) => {
      this.#child.once("error", (error) => resolve({ exitCode: 126, signal: 0, reason: error.message }));
      this.#child.once("exit", (code, signal) => resolve(exitOf(code, signal, this.#reason)));
    });
  }

  #openPipes(stdin: PipeEnds): number[] {
    this.#input = new Socket({ fd: stdin.ours, readable: false, writable: true });
    // The command has closed its stdin, which is its right.
    this.#input.on("error", () => this.#input?.destroy());
    return [
      stdin.theirs,
      ...([1, 2] as const).map((stream) => {
        const output = this.#deps.fifos.anonymous(this.#spec.user);
        this.#pump(output.ours, "fifo", stream);
        return output.theirs;
      }),
    ];
  }

  #openTerminal(size: TerminalSize): number[] {
    const terminal = openTerminal(size, this.#spec.user);
    this.#master = terminal.master;
    this.#slave = terminal.slave;
    this.#terminalPath = terminal.path;
    this.#deps.masters.add(terminal.master);
    const pump = this.#pump(terminal.master, "pty", 1);
    void pump.ended.then(() => this.#deps.masters.delete(terminal.master));
    this.#input = pump.socket;
    return [terminal.slave, terminal.slave, terminal.slave];
  }

  #pump(fd: number, kind: "fifo" | "pty", stream: 1 | 2): OutputPump {
    const pump = new OutputPump(fd, kind, (bytes) => {
      this.#listener.output(stream, bytes);
      this.#unacked += bytes.length;
      return this.#ending || this.#unacked <= unackedLimitBytes;
    });
    this.#pumps.push(pump);
    void pump.ended.then(() => this.#listener.closed(stream));
    return pump;
  }

  #endOfTerminalInput(): void {
    execFile("/usr/bin/stty", ["-a", "-F", this.#terminalPath], { timeout: endGraceMs }, (error, modes) => {
      if (error || this.#ending) return;
      if (/(^|\s)icanon/.test(modes)) {
        this.#input?.write(endOfTransmission);
        return;
      }
      const hangup = setTimeout(() => void this.end("the client closed stdin"), rawHangupMs);
      void this.finished.then(() => clearTimeout(hangup));
    });
  }

  /** The command leads a session and a group of its own. @returns false when nobody was there. */
  #signalTree(signal: number): boolean {
    const pid = this.#child.pid;
    if (pid === undefined || this.#over()) return false;
    return kill(-pid, signal) || kill(pid, signal);
  }

  #over(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #childGone(): Promise<void> {
    return this.#over() ? Promise.resolve() : new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  async #killTree(): Promise<void> {
    const pid = this.#child.pid;
    if (pid !== undefined && (!this.#over() || readStat(pid) === undefined)) kill(-pid, 9);
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

function exitOf(code: number | null, signal: NodeJS.Signals | null, reason: string): SessionExit {
  const number = signal ? constants.signals[signal] : 0;
  return { exitCode: code ?? 128 + number, signal: number, reason };
}
