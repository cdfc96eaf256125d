import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ArtifactError, refused } from "./artifact-error.js";

export type Compression = "gz" | "bz2" | "xz" | "zst";

/** Formats that Node does not know, and the programs that do. */
const programs: Readonly<Partial<Record<Compression, string>>> = { bz2: "bzip2", xz: "xz", zst: "zstd" };
const nobody = 65_534;
const maxErrorBytes = 2_000;

/**
 * Decompresses a stream into whoever takes it.
 *
 * @throws ArtifactError when it is damaged, or this host has not the program.
 */
export async function decompress(
  from: Readable,
  kind: Compression,
  take: (content: Readable) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const program = programs[kind];
  if (program !== undefined) return decompressWith(program, from, take, signal);
  const gunzip = createGunzip();
  try {
    await Promise.all([pipeline(from, gunzip, { signal }), take(gunzip)]);
  } catch (error) {
    gunzip.destroy();
    throw String((error as NodeJS.ErrnoException).code).startsWith("Z_") ? damaged(kind, (error as Error).message) : error;
  }
}

const damaged = (kind: Compression, why: string): ArtifactError => new ArtifactError(`the ${kind} data are damaged: ${why}`, "restart");

/** The program sees nothing but the bytes: it needs no rights and no files. */
async function decompressWith(
  program: string,
  from: Readable,
  take: (content: Readable) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const rights = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const child = spawn(program, ["-d", "-c"], {
    cwd: "/",
    env: { PATH: process.env.PATH ?? "" },
    stdio: ["pipe", "pipe", "pipe"],
    ...rights,
  });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (told.length < maxErrorBytes) told += chunk.toString();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? refused(`this host has no program ${program}, which unpacking needs`) : error),
    );
    child.once("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          damaged(program === "bzip2" ? "bz2" : program === "xz" ? "xz" : "zst", told.trim() || `${program} ended with exit code ${code}`),
        );
    });
  });
  // What it says of its end after it was killed is nothing to tell.
  let isKilled = false;
  const kill = (): void => {
    isKilled ||= child.exitCode === null;
    child.kill("SIGKILL");
  };
  signal.addEventListener("abort", kill, { once: true });
  // A program that gives up early closes its input: its own words say why.
  const fed = pipeline(from, child.stdin).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  });
  const taken = take(child.stdout).catch((error: unknown) => {
    // What is damaged may end early and look like a mistake of another kind.
    if (!(error instanceof ArtifactError) || error.remedy === "none") kill();
    child.stdout.resume();
    throw error;
  });
  try {
    const [end, taking, feeding] = await Promise.allSettled([ended, taken, fed]);
    for (const result of isKilled ? [taking, end, feeding] : [end, taking, feeding]) if (result.status === "rejected") throw result.reason;
  } finally {
    signal.removeEventListener("abort", kill);
  }
}
