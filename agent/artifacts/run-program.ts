import { spawn } from "node:child_process";
import type { Owner } from "../allocs/owner.js";
import { ArtifactError, refused } from "./artifact-error.js";

export interface ProgramOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Null: the agent's own user. */
  readonly owner: Owner | null;
  readonly signal: AbortSignal;
}

const maxOutputBytes = 64 * 1024;

/**
 * Runs a program to its end. When it is not wanted any more it is killed with all that it has started.
 *
 * @returns what it wrote to stdout.
 * @throws ArtifactError with its own words when it fails.
 */
export function runProgram(program: string, args: readonly string[], { cwd, env, owner, signal }: ProgramOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...env },
      // A group of its own, so that its helpers end with it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(owner ? { uid: owner.uid, gid: owner.gid } : {}),
    });
    let [out, told] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      if (out.length < maxOutputBytes) out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      told = (told + chunk.toString()).slice(-maxOutputBytes);
    });
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    };
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    child.once("error", (error: NodeJS.ErrnoException) => {
      signal.removeEventListener("abort", kill);
      reject(error.code === "ENOENT" ? refused(`this host has no program ${program}`) : error);
    });
    child.once("close", (code) => {
      signal.removeEventListener("abort", kill);
      if (signal.aborted) reject(signal.reason);
      else if (code === 0) resolve(out);
      else reject(new ArtifactError(`${program} ended with exit code ${code}: ${lastLines(told)}`, "restart"));
    });
  });
}

/** Without what it says of its progress. */
const lastLines = (text: string): string =>
  text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .slice(-3)
    .join("; ")
    .slice(-500);
