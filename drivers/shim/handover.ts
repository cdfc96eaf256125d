import { spawn } from "node:child_process";
import type { LauncherHandover } from "./launcher-process.js";
import type { SessionExit, SessionSpec, ShimProgram } from "./protocol.js";

/*
 * A shim of another version takes over while commands run: it is started by the one that is there, which stops reading,
 * and inherits the descriptors that nobody else could open, above all those of terminals. What was not read yet stays in
 * the kernel, so no byte is lost and none comes twice. All else it finds in the records, as after a shim's death.
 *
 * Shims of different versions speak this: members may be added, none may change its meaning.
 */

/** Of a terminal, both ends. */
export interface TerminalHandover {
  readonly master: number;
  readonly slave: number;
  readonly path: string;
}

export interface SessionHandover {
  readonly spec: SessionSpec;
  readonly pid: number;
  /** The number of its launcher's process. */
  readonly launcher: number;
  /** The name of its cgroup; null where there are none of ours. */
  readonly cgroup: string | null;
  /** Null when the command runs. */
  readonly exit: SessionExit | null;
  readonly unacked: number;
  readonly terminal: TerminalHandover | null;
  /** Null is closed already. */
  readonly stdin: number | null;
  /** The outputs that have not ended. */
  readonly outputs: readonly { readonly stream: 1 | 2; readonly fd: number }[];
}

export interface Handover {
  readonly launchers: readonly LauncherHandover[];
  readonly sessions: readonly SessionHandover[];
  /** Of tasks, by run. */
  readonly terminals: Readonly<Record<string, TerminalHandover>>;
}

/** How long a successor may take to its first word. */
const readyMs = 10_000;
/** The first number of what is inherited, which is the lock: 0 is the handover itself, 1 and 2 the log, 3 says "ready". */
export const firstInherited = 4;
export const readyFd = 3;

/** Every descriptor in a handover, in a fixed order. */
function descriptors(handover: Handover): number[] {
  const of = (terminal: TerminalHandover | null): number[] => (terminal ? [terminal.master, terminal.slave] : []);
  return [
    ...handover.launchers.flatMap(({ requests, replies }) => [requests, replies]),
    ...handover.sessions.flatMap(({ terminal, stdin, outputs }) => [
      ...of(terminal),
      ...(stdin === null ? [] : [stdin]),
      ...outputs.map(({ fd }) => fd),
    ]),
    ...Object.values(handover.terminals).flatMap(of),
  ];
}

/** The same handover with the numbers that the descriptors have for the heir. */
function renumbered(handover: Handover, numbers: ReadonlyMap<number, number>): Handover {
  const at = (fd: number): number => numbers.get(fd) ?? -1;
  const terminal = <T extends TerminalHandover | null>(t: T): T => (t && { ...t, master: at(t.master), slave: at(t.slave) }) as T;
  return {
    launchers: handover.launchers.map((l) => ({ ...l, requests: at(l.requests), replies: at(l.replies) })),
    sessions: handover.sessions.map((s) => ({
      ...s,
      terminal: terminal(s.terminal),
      stdin: s.stdin === null ? null : at(s.stdin),
      outputs: s.outputs.map((output) => ({ ...output, fd: at(output.fd) })),
    })),
    terminals: Object.fromEntries(Object.entries(handover.terminals).map(([runId, t]) => [runId, terminal(t)])),
  };
}

/**
 * Starts a successor and hands everything over.
 *
 * @param lockFd the lock of the runtime directory: it is the successor's as long as it has the descriptor.
 * @returns its number, when it has taken over.
 * @throws when it does not come up; then nothing was taken.
 */
export function startSuccessor(program: ShimProgram, runtimeDir: string, lockFd: number, handover: Handover): Promise<number> {
  const fds = [lockFd, ...new Set(descriptors(handover))];
  const numbers = new Map(fds.map((fd, index) => [fd, firstInherited + index]));
  const child = spawn(program.node, ["--max-semi-space-size=1", program.main, runtimeDir, "--take-over"], {
    cwd: "/",
    detached: true,
    env: process.env,
    stdio: ["pipe", "inherit", "inherit", "pipe", ...fds],
  });
  child.unref();
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`the new shim ${why}`));
    };
    const timer = setTimeout(() => fail(`did not come up within ${readyMs / 1000} s`), readyMs);
    child.once("error", (error) => fail(`can not be started: ${error.message}`));
    child.once("exit", (code, signal) => fail(`ended with ${signal ?? code} instead of taking over`));
    child.stdio[readyFd]?.once("data", () => {
      clearTimeout(timer);
      resolve(child.pid ?? 0);
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(JSON.stringify(renumbered(handover, numbers)));
  });
}
