import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { RunExit, RunSpec } from "./protocol.js";

/**
 * The records of one run, on tmpfs: they outlive the shim, not the host.
 *
 *   run.json       what was asked for, without the environment
 *   guard          made by the launch wrapper; without it the command was never started
 *   pid            written by it when the command was started
 *   jobs, exit     written by it when the command has ended
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
    mkdirSync(this.path, { mode: 0o700 });
    try {
      this.#fill(spec);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #fill(spec: RunSpec): void {
    const { env: _secret, ...kept } = spec;
    // Room for the records is taken now: the end of a command has to be written on a full disk too.
    for (const name of ["pid", "jobs", "exit"]) writeFileSync(`${this.path}/${name}`, " ", { mode: 0o600 });
    writeFileSync(`${this.path}/run.json.new`, JSON.stringify(kept), { mode: 0o600 });
    renameSync(`${this.path}/run.json.new`, `${this.path}/run.json`);
  }

  /** What was asked for; undefined for a directory that was left half made. */
  spec(): Omit<RunSpec, "env"> | undefined {
    const text = this.#read("run.json");
    return text === undefined ? undefined : (JSON.parse(text) as Omit<RunSpec, "env">);
  }

  fifo(stream: "stdout" | "stderr"): string {
    return `${this.path}/${stream}`;
  }

  /** The launch wrapper's number; 0 when there is none that has come so far as to write it. */
  guardPid(): number {
    return Number(this.#read("guard") ?? 0);
  }

  /**
   * Settles whether the run was started: a launch wrapper of an earlier shim that is still on its way finds the place taken
   * and goes. @returns whether there is a launch wrapper.
   */
  hasGuard(): boolean {
    try {
      closeSync(openSync(`${this.path}/guard`, "wx", 0o600));
      return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return true;
      throw error;
    }
  }

  pid(): number {
    return Number(this.#read("pid") ?? 0);
  }

  /** How the command ended; undefined while it runs or when its wrapper could not write it. */
  exit(): Omit<RunExit, "oomKilled"> | undefined {
    const status = this.#read("exit");
    // A line that is not whole is being written, or not yet.
    if (!status?.includes("\n")) return undefined;
    return parseExit(Number(status), this.#read("jobs") ?? "");
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #read(name: string): string | undefined {
    try {
      return readFileSync(`${this.path}/${name}`, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }
}

/** The directories of all runs that an earlier shim has left. */
export const leftRuns = (parent: string): RunDir[] => readdirSync(parent).map((runId) => new RunDir(parent, runId));

/**
 * A shell's `$?` does not tell death by signal n from an exit with 128+n; its `jobs` does, which says `Done(137)` or `Killed`.
 *
 * @param status the shell's `$?`, 0–255.
 * @param jobs the output of `jobs`.
 */
export function parseExit(status: number, jobs: string): Omit<RunExit, "oomKilled"> {
  const exitedByItself = /^\[1\]\s*[+-]?\s*(Done|Exit)/.test(jobs) || status <= 128;
  return { exitCode: status, signal: exitedByItself ? 0 : status - 128, error: "" };
}
