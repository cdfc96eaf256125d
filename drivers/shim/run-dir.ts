import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { asGoWouldSay } from "./launcher-process.js";
import type { ProcessIdentity } from "./proc.js";
import type { RunExit, RunSpec } from "./protocol.js";

/** What a run's guard has written of it so far. */
export interface RunRecord {
  readonly guard?: ProcessIdentity;
  /** Of the command, once it runs. */
  readonly main?: ProcessIdentity;
  /** How the command ended. */
  readonly exit?: Omit<RunExit, "oomKilled">;
  /** Why the command could not be started. */
  readonly failure?: string;
}

/**
 * The records of one run, on tmpfs: they outlive the shim, not the host.
 *
 *   run.json       what was asked for, without the environment
 *   record         made by the guard; without it the command was never started (its lines: launch/guard.c)
 *   stdout, stderr FIFOs
 */
export class RunDir {
  readonly path: string;

  constructor(
    parent: string,
    readonly runId: string,
  ) {
    this.path = `${parent}/${runId}`;
  }

  /** @throws the file system's error; nothing is left then. */
  create(spec: RunSpec): void {
    const { env: _secret, ...kept } = spec;
    mkdirSync(this.path, { mode: 0o700 });
    try {
      writeFileSync(`${this.path}/run.json`, JSON.stringify(kept), { mode: 0o600 });
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** What was asked for. @throws when it can not be read. */
  spec(): Omit<RunSpec, "env"> {
    return JSON.parse(readFileSync(`${this.path}/run.json`, "utf8")) as Omit<RunSpec, "env">;
  }

  fifo(stream: "stdout" | "stderr"): string {
    return `${this.path}/${stream}`;
  }

  /**
   * Settles whether the run was started: a guard of an earlier shim that is still on its way finds the place taken and
   * goes. @returns whether there was a guard.
   */
  wasStarted(): boolean {
    try {
      closeSync(openSync(this.#record, "wx", 0o600));
      return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return true;
      throw error;
    }
  }

  read(): RunRecord {
    try {
      return parseRecord(readFileSync(this.#record, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw error;
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  get #record(): string {
    return `${this.path}/record`;
  }
}

/** The directories of all runs that an earlier shim has left. */
export const leftRuns = (parent: string): RunDir[] => readdirSync(parent).map((runId) => new RunDir(parent, runId));

/** @param text the record. A line that is not whole is being written, or not yet: it is as if it were not there. */
export function parseRecord(text: string): RunRecord {
  // A line's place is fixed: what one of them quotes can not be taken for another.
  const guard = identity(/^guard (\d+) (\d+)\n/, text.slice(0, 64));
  const main = identity(/^pid (\d+) (\d+)\n/, text.slice(64, 128));
  const end = text.slice(128);
  const [, code, signal] = /^exit (\d+) (\d+)\n/.exec(end) ?? [];
  const [, failure] = /^failed (.*)\n/s.exec(end) ?? [];
  return {
    ...(guard && { guard }),
    ...(main && { main }),
    ...(code !== undefined && { exit: { exitCode: Number(code), signal: Number(signal), error: "" } }),
    ...(failure !== undefined && { failure: asGoWouldSay(failure) }),
  };
}

function identity(line: RegExp, text: string): ProcessIdentity | undefined {
  const [, pid, startTime] = line.exec(text) ?? [];
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}
