import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Owner } from "../allocs/owner.js";
import { ArtifactError } from "./artifact-error.js";
import { runProgram } from "./run-program.js";
import type { Tree } from "./tree.js";
import { unpackTar } from "./unpack.js";

interface Reader {
  /** Whose rights count: a job must not read through the agent what its task can not. Null: the agent's. */
  readonly owner: Owner | null;
  readonly options: { readonly maxBytes: number };
  readonly signal: AbortSignal;
}

const environment = { PATH: "/usr/bin:/bin", LC_ALL: "C" };

/** @throws ArtifactError when there is nothing, or nothing that the task's user may see. */
export async function isLocalDirectory(path: string, { owner, signal }: Reader): Promise<boolean> {
  const script = 'if [ -d "$1" ]; then echo directory; elif [ -f "$1" ]; then echo file; else exit 3; fi';
  try {
    return (await runProgram("/bin/sh", ["-c", script, "sh", path], { cwd: "/", env: environment, owner, signal })).trim() === "directory";
  } catch (error) {
    if (error instanceof ArtifactError)
      throw new ArtifactError("there is no such file or directory for the task's user", "restart", { cause: error });
    throw error;
  }
}

/** Copies a file to a path, or a directory into a tree. @throws ArtifactError */
export async function copyLocal(path: string, to: string | Tree, { owner, options, signal }: Reader): Promise<void> {
  const args = typeof to === "string" ? ["cat", "--", path] : ["tar", "--create", "--file=-", `--directory=${path}`, "."];
  const [program = "", ...rest] = args;
  const rights = owner ? { uid: owner.uid, gid: owner.gid } : {};
  const child = spawn(program, rest, { cwd: "/", env: environment, stdio: ["ignore", "pipe", "pipe"], ...rights });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (told.length < 1_000) told += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  ended.catch(() => {});
  try {
    if (typeof to === "string") await pipeline(limited(child.stdout, options.maxBytes), createWriteStream(to, { mode: 0o600 }), { signal });
    else await unpackTar(child.stdout, to, signal);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  if ((await ended) !== 0) throw new ArtifactError(`it can not be read: ${told.trim().slice(0, 300)}`, "restart");
}

async function* limited(from: Readable, limit: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of from) {
    bytes += (chunk as Buffer).length;
    if (bytes > limit) throw new ArtifactError(`it has more than ${limit} bytes`, "none");
    yield chunk as Buffer;
  }
}
