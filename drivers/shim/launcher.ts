import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { RunUser, SessionExit } from "./protocol.js";

/** Built from launch/*.c, beside this module in the built tree. */
const program = fileURLToPath(new URL("./allocd-launch", import.meta.url));

/** How a command is started, whatever it is for. */
interface Command {
  readonly id: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: RunUser | null;
  /** Directories of the cgroups that it joins. */
  readonly cgroups: readonly string[];
  /** The path of its terminal's slave; null for pipes. */
  readonly tty: string | null;
}

export interface RunCommand extends Command {
  readonly runDir: string;
  /** The FIFO by which the guard says that there is news. */
  readonly notice: string;
  readonly guardCgroups: readonly string[];
  readonly oomScoreAdj: number;
  /** Paths of FIFOs for stdout and stderr; null: thrown away. */
  readonly output: { readonly stdout: string; readonly stderr: string } | null;
}

/** Our ends of the pipes of a session's command: written and read without blocking. */
export interface SessionPipes {
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

export interface StartedSession {
  readonly pid: number;
  /** Null with a terminal. */
  readonly pipes: SessionPipes | null;
  /** How the command ended; never rejects. */
  readonly exited: Promise<SessionExit>;
}

interface Waiting {
  readonly resolve: (session: StartedSession) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The small process that starts every command, for a spawn from Node would stop the shim for longer than a start may take
 * (launch/launch.h). One that dies is replaced at the next start; guards and commands go on without it.
 */
export class Launcher {
  /** Called when a run's guard could not be started, or has ended. */
  onRun: (runId: string, failure: string | null) => void = () => {};

  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #closed = false;
  readonly #runs = new Set<string>();
  readonly #starting = new Map<string, Waiting>();
  readonly #running = new Map<string, (exit: SessionExit) => void>();

  readonly #owner: string;

  /** @param owner the shim's runtime directory, by which its launcher and guards are told from another's in a list of processes. */
  constructor(owner: string) {
    this.#owner = owner;
    // At once: the first start should not pay for it.
    this.#process();
  }

  /** Asks for a guard, which makes the run's record before the command. @throws when that can not even be asked for. */
  startRun(run: RunCommand): void {
    const { stdout, stderr } = run.output ?? { stdout: "", stderr: "" };
    const words = ["run", ...placeWords(run, String(run.oomScoreAdj)), stdout, stderr, run.runDir, run.notice];
    this.#request([...words, ...listWords(run.guardCgroups.map(procsFile)), ...commandWords(run)]);
    this.#runs.add(run.id);
  }

  /** Resolves when the command runs. @throws when it does not; nothing is left then. */
  startSession(session: Command): Promise<StartedSession> {
    return new Promise((resolve, reject) => {
      this.#request(["session", ...placeWords(session, ""), "", "", "", "", "0", ...commandWords(session)]);
      this.#starting.set(session.id, { resolve, reject });
    });
  }

  close(): void {
    this.#closed = true;
    this.#child?.stdin.end();
  }

  #request(words: readonly string[]): void {
    // A word's end is a NUL; one within it would be the end of another.
    if (words.some((word) => word.includes("\0"))) throw new Error("a NUL in the command, its environment or its directory");
    const body = Buffer.from(`${words.join("\0")}\0`);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(body.length);
    const { stdin } = this.#process();
    stdin.cork();
    stdin.write(length);
    stdin.write(body);
    stdin.uncork();
  }

  #process(): ChildProcessByStdio<Writable, Readable, null> {
    if (this.#child) return this.#child;
    if (this.#closed) throw new Error("the shim ends");
    const child = spawn(program, [this.#owner], { cwd: "/", env: {}, stdio: ["pipe", "pipe", "inherit"], detached: true });
    const gone = (): void => {
      if (this.#child === child) this.#lost();
    };
    child.once("exit", gone);
    child.once("error", gone);
    child.stdin.on("error", gone);
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#reply(line, child.pid ?? 0);
    });
    this.#child = child;
    return child;
  }

  #reply(line: string, pid: number): void {
    const [word, id = "", ...rest] = line.split(" ");
    if (word === "failed") this.#failed(id, rest.join(" "));
    else if (word === "started") this.#started(id, rest.map(Number), pid);
    else if (this.#runs.delete(id)) this.onRun(id, null);
    else {
      const [exitCode = -1, signal = 0] = rest.map(Number);
      this.#running.get(id)?.({ exitCode, signal, reason: "" });
      this.#running.delete(id);
    }
  }

  #started(id: string, [pid = 0, ...fds]: readonly number[], launcherPid: number): void {
    const waiting = this.#starting.get(id);
    this.#starting.delete(id);
    const exited = new Promise<SessionExit>((resolve) => this.#running.set(id, resolve));
    try {
      waiting?.resolve({ pid, pipes: openPipes(launcherPid, fds), exited });
    } catch (error) {
      waiting?.reject(error as Error);
    } finally {
      this.#request(["taken", id]);
    }
  }

  #failed(id: string, reason: string): void {
    if (this.#runs.delete(id)) this.onRun(id, asGoWouldSay(reason));
    this.#starting.get(id)?.reject(new Error(asGoWouldSay(reason)));
    this.#starting.delete(id);
  }

  #lost(): void {
    this.#child = undefined;
    const reason = "the launcher of commands was killed";
    // Guards go on; what was on its way may be there or not, which their records tell.
    for (const id of this.#runs) this.onRun(id, null);
    this.#runs.clear();
    for (const { reject } of this.#starting.values()) reject(new Error(reason));
    this.#starting.clear();
    for (const end of this.#running.values()) end({ exitCode: -1, signal: 0, reason });
    this.#running.clear();
  }
}

const procsFile = (dir: string): string => `${dir}/cgroup.procs`;

const listWords = (words: readonly string[]): string[] => [String(words.length), ...words];

const placeWords = ({ id, cwd, user, tty }: Command, oomScoreAdj: string): string[] => [
  id,
  cwd,
  ...(user ? [String(user.uid), String(user.gid), user.known ? "known" : ""] : ["", "", ""]),
  oomScoreAdj,
  tty ?? "",
];

const commandWords = ({ cgroups, argv, env }: Command): string[] => [
  ...listWords(cgroups.map(procsFile)),
  ...listWords(argv),
  // No program can be given a variable without a name.
  ...listWords(Object.entries(env).flatMap(([name, value]) => (name === "" ? [] : [`${name}=${value}`]))),
];

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
