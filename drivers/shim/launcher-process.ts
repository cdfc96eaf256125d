import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { SessionExit } from "./protocol.js";
import { descriptorOf, resumeReading, stopReading } from "./stream-handle.js";

/** Built from launch/*.c, beside this module in the built tree. */
const program = fileURLToPath(new URL("./allocd-launch", import.meta.url));

/** Our ends of the pipes of a session's command: written and read without blocking. */
export interface SessionPipes {
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

export interface StartedSession {
  readonly pid: number;
  /** The number of the launcher that it is a child of. */
  readonly launcher: number;
  /** Null with a terminal. */
  readonly pipes: SessionPipes | null;
  /** How the command ended; never rejects. */
  readonly exited: Promise<SessionExit>;
}

interface Waiting {
  readonly resolve: (session: StartedSession) => void;
  readonly reject: (error: Error) => void;
}

/** What is needed to go on with a launcher that another shim has started. */
export interface LauncherHandover {
  readonly pid: number;
  /** Numbers of descriptors. */
  readonly requests: number;
  readonly replies: number;
  /** The beginning of a reply. */
  readonly rest: string;
}

/** One launcher's process: requests in, replies out. */
export class LauncherProcess {
  readonly pid: number;
  readonly #requests: Writable;
  readonly #replies: Readable;
  #rest = "";
  #isGone = false;
  readonly #runs = new Set<string>();
  readonly #starting = new Map<string, Waiting>();
  readonly #running = new Map<string, (exit: SessionExit) => void>();
  /** Called when a run's guard could not be started, or has ended. */
  readonly #onRun: (runId: string, failure: string | null) => void;

  private constructor(pid: number, requests: Writable, replies: Readable, onRun: (runId: string, failure: string | null) => void) {
    this.pid = pid;
    this.#requests = requests;
    this.#replies = replies;
    this.#onRun = onRun;
    requests.on("error", () => this.#lost());
    replies.on("error", () => this.#lost());
    replies.on("close", () => this.#lost());
    replies.on("data", (chunk: Buffer) => this.#receive(chunk.toString("latin1")));
  }

  /** @param owner by which it is told from another shim's in a list of processes. */
  static start(owner: string, onRun: (runId: string, failure: string | null) => void): LauncherProcess {
    const child: ChildProcessByStdio<Writable, Readable, null> = spawn(program, [owner], {
      cwd: "/",
      env: {},
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    const process = new LauncherProcess(child.pid ?? 0, child.stdin, child.stdout, onRun);
    child.once("error", () => process.#lost());
    child.once("exit", () => process.#lost());
    return process;
  }

  /** Goes on with one that an earlier shim has started, for the sake of its sessions. */
  static adopt({ pid, requests, replies, rest }: LauncherHandover): LauncherProcess {
    const process = new LauncherProcess(pid, new Socket({ fd: requests }), new Socket({ fd: replies }), () => {});
    process.#rest = rest;
    return process;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether nobody waits for a word of it. */
  get isIdle(): boolean {
    return this.#starting.size === 0 && this.#running.size === 0;
  }

  startRun(id: string, words: readonly string[]): void {
    this.#request(words);
    this.#runs.add(id);
  }

  startSession(id: string, words: readonly string[]): Promise<StartedSession> {
    return new Promise((resolve, reject) => {
      this.#request(words);
      this.#starting.set(id, { resolve, reject });
    });
  }

  /** How a session's command ends that is running already. */
  awaitSession(id: string): Promise<SessionExit> {
    if (this.#isGone) return Promise.resolve(killed);
    return new Promise((resolve) => this.#running.set(id, resolve));
  }

  /** @returns the errno; 0 when it is done. @throws when it can not be tried. */
  async mount(id: string, words: readonly string[]): Promise<number> {
    this.#request(words);
    const { exitCode, reason } = await this.awaitSession(id);
    if (reason !== "") throw new Error(reason);
    return exitCode;
  }

  /** It ends when its requests do; what it has started goes on. */
  close(): void {
    this.#requests.end();
  }

  /** Stops listening, for a successor that will. @returns null when there is nothing to listen for. */
  handOver(): LauncherHandover | null {
    if (this.isIdle) return null;
    const requests = descriptorOf(this.#requests);
    const replies = descriptorOf(this.#replies);
    if (this.#isGone || requests === undefined || replies === undefined) return null;
    stopReading(this.#replies);
    return { pid: this.pid, requests, replies, rest: this.#rest };
  }

  /** Undoes `handOver`. */
  takeBack(): void {
    resumeReading(this.#replies);
  }

  #request(words: readonly string[]): void {
    // A word's end is a NUL; one within it would be the end of another.
    if (words.some((word) => word.includes("\0"))) throw new Error("a NUL in the command, its environment or its directory");
    const body = Buffer.from(`${words.join("\0")}\0`);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(body.length);
    this.#requests.cork();
    this.#requests.write(length);
    this.#requests.write(body);
    this.#requests.uncork();
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#reply(line);
  }

  #reply(line: string): void {
    const [word, id = "", ...rest] = line.split(" ");
    if (word === "failed") this.#failed(id, asGoWouldSay(rest.join(" ")));
    else if (word === "started") this.#started(id, rest.map(Number));
    else if (this.#runs.delete(id)) this.#onRun(id, null);
    else {
      const [exitCode = -1, signal = 0] = rest.map(Number);
      this.#running.get(id)?.({ exitCode, signal, reason: "" });
      this.#running.delete(id);
    }
  }

  #started(id: string, [pid = 0, ...fds]: readonly number[]): void {
    const waiting = this.#starting.get(id);
    this.#starting.delete(id);
    const exited = this.awaitSession(id);
    try {
      waiting?.resolve({ pid, launcher: this.pid, pipes: openPipes(this.pid, fds), exited });
    } catch (error) {
      waiting?.reject(error as Error);
    } finally {
      this.#request(["taken", id]);
    }
  }

  #failed(id: string, reason: string): void {
    if (this.#runs.delete(id)) this.#onRun(id, reason);
    this.#starting.get(id)?.reject(new Error(reason));
    this.#starting.delete(id);
    this.#running.get(id)?.({ exitCode: -1, signal: 0, reason });
    this.#running.delete(id);
  }

  #lost(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    // Guards go on; what was on its way may be there or not, which their records tell.
    for (const id of this.#runs) this.#onRun(id, null);
    this.#runs.clear();
    for (const { reject } of this.#starting.values()) reject(new Error(killed.reason));
    this.#starting.clear();
    for (const end of this.#running.values()) end(killed);
    this.#running.clear();
  }
}

const killed: SessionExit = { exitCode: -1, signal: 0, reason: "the launcher of commands was killed" };

/** A pipe's end is opened anew, without blocking: Node can not be handed a descriptor. */
function openPipes(launcherPid: number, fds: readonly number[]): SessionPipes | null {
  const opened: number[] = [];
  try {
    for (const [index, fd] of fds.entries()) {
      if (fd < 0) return null;
      const flags = (index === 0 ? constants.O_WRONLY : constants.O_RDONLY) | constants.O_NONBLOCK;
      opened.push(openSync(`/proc/${launcherPid}/fd/${fd}`, flags));
    }
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
  const [stdin = -1, stdout = -1, stderr = -1] = opened;
  return { stdin, stdout, stderr };
}

/** The kernel's words begin with a capital in C and not in Go, whose texts users know: "permission denied". */
export const asGoWouldSay = (reason: string): string =>
  reason.replace(/: ([A-Z])(?=[a-z])/, (_, first: string) => `: ${first.toLowerCase()}`);
