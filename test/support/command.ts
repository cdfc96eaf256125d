import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { resolve } from "node:path";

export const top = resolve(import.meta.dirname, "../..");
export const allocd = resolve(top, "bin/allocd");

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, with `input` as its stdin, and keeps what it says. @throws Error when it does not end in `ms`. */
export function runToEnd(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly ms?: number; readonly input?: string | Buffer } = {},
): Promise<Ended> {
  const { env = environment(), cwd, ms = 15_000, input } = options;
  return new Promise((done, fail) => {
    const child = spawn(command, args, { env, cwd, stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
    child.stdin?.on("error", () => {}).end(input);
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (data: Buffer) => {
      stdout += data;
    });
    child.stderr?.on("data", (data: Buffer) => {
      stderr += data;
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(new Error(`${command} ${args.join(" ")} did not end in ${ms} ms\n${stdout}${stderr}`));
    }, ms);
    child.once("error", fail);
    child.once("close", (code) => {
      clearTimeout(timer);
      done({ code, stdout, stderr });
    });
  });
}

/** The environment of a process under test: ours without what configures an agent or the test runner. */
export function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("ALLOCD_") && name !== "NODE_OPTIONS" && !name.startsWith("npm_"),
  );
  return { ...Object.fromEntries(kept), ...more };
}

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
