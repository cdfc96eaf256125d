import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  write,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import { formatRfc3339 } from "../model/rfc3339.js";
import { GENESIS, hashLine, type Link, START } from "./chain.js";

const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);

export interface AuditOptions {
  readonly path: string;
  /** `enforced`: what can not be recorded is refused. */
  readonly guarantee: "enforced" | "best-effort";
  /** A file that is larger is put aside. */
  readonly rotateBytes: number;
  /** Files that are kept besides the current one. */
  readonly maxFiles: number;
}

/** What happened, without secrets. Members that are undefined are left out. */
export type AuditEntry = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface Pending {
  readonly entry: AuditEntry;
  readonly time: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Lines that may wait for the disk. */
const MAX_PENDING = 10_000;

/**
 * Records who did what, one JSON object a line, each with the hash of the line before it, over rotations too.
 *
 * Lines that come together are written together, and are on disk when `record` resolves.
 */
export class AuditLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: AuditOptions;
  #fd: number;
  #bytes: number;
  #link: Link;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;
  #failed = false;
  /** Half a line may be at the end, and the next has to follow the last whole one. */
  #isTorn = false;

  /** @throws Error when the file can not be opened. */
  constructor(deps: { readonly clock: Clock; readonly log: Logger; readonly options: AuditOptions }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#options = deps.options;
    const { path } = deps.options;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#fd = openSync(path, "a+", 0o600);
    const { link, bytes, cut } = takeUp(this.#fd, () => lastOfRotated(path));
    this.#link = link;
    this.#bytes = bytes;
    if (cut > 0) this.#log.warn({ path, cut }, "the audit log ended in half a line, which was cut off");
  }

  /**
   * Writes one line.
   *
   * @throws AllocdError 507 when it can not be written and the guarantee is `enforced`.
   */
  async record(entry: AuditEntry): Promise<void> {
    const enforced = this.#options.guarantee === "enforced";
    try {
      const written = this.#append(entry);
      if (enforced) await written;
      // Nobody waits for it; that it failed was logged.
      else written.catch(() => {});
    } catch (error) {
      if (!enforced) return;
      throw new AllocdError(
        "degraded",
        `the audit log can not be written, and audit.delivery_guarantee is "enforced", so this is refused: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    await this.#writing;
    closeSync(this.#fd);
  }

  #append(entry: AuditEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#pending.length >= MAX_PENDING) return reject(new Error(`${MAX_PENDING} lines wait for the disk`));
      this.#pending.push({ entry, time: formatRfc3339(this.#clock.now()), resolve, reject });
      this.#writing ??= this.#drain().finally(() => {
        this.#writing = undefined;
      });
    });
  }

  async #drain(): Promise<void> {
    // Whoever records in the same turn of the event loop shares the write.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0);
      try {
        await this.#write(batch);
        this.#recovered();
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#broken(error as Error);
        for (const { reject } of batch) reject(error as Error);
      }
    }
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    if (this.#bytes >= this.#options.rotateBytes) this.#rotate();
    if (this.#isTorn) ftruncateSync(this.#fd, this.#bytes);
    this.#isTorn = false;
    let link = this.#link;
    let text = "";
    for (const { entry, time } of batch) {
      const line = JSON.stringify({ seq: link.seq + 1, time, ...entry, prev: link.hash });
      link = { seq: link.seq + 1, hash: hashLine(line) };
      text += `${line}\n`;
    }
    const bytes = Buffer.from(text);
    try {
      for (let at = 0; at < bytes.length; ) at += (await writeAsync(this.#fd, bytes, at)).bytesWritten;
      await syncAsync(this.#fd);
    } catch (error) {
      this.#isTorn = true;
      throw error;
    }
    this.#bytes += bytes.length;
    this.#link = link;
  }

  /** The current file gets the number of its last line as its name. */
  #rotate(): void {
    const { path, maxFiles } = this.#options;
    fsyncSync(this.#fd);
    const fd = openSync(`${path}.new`, "ax+", 0o600);
    renameSync(path, `${path}.${String(this.#link.seq).padStart(12, "0")}`);
    renameSync(`${path}.new`, path);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#bytes = 0;
    const old = rotatedFiles(path);
    for (const file of old.slice(0, Math.max(0, old.length - maxFiles))) rmSync(file, { force: true });
  }

  #broken(error: Error): void {
    if (!this.#failed) this.#log.error({ err: error, path: this.#options.path }, "the audit log can not be written");
    this.#failed = true;
  }

  #recovered(): void {
    if (this.#failed) this.#log.info({ path: this.#options.path }, "the audit log can be written again");
    this.#failed = false;
  }
}

/** Files that were put aside, oldest first. */
export function rotatedFiles(path: string): readonly string[] {
  const prefix = `${basename(path)}.`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && /^\d{12}$/.test(name.slice(prefix.length)))
    .sort()
    .map((name) => join(dirname(path), name));
}

/** Finds the last whole line, and cuts off what an agent that was killed has left behind it. */
function takeUp(fd: number, before: () => Link): { readonly link: Link; readonly bytes: number; readonly cut: number } {
  const size = fstatSync(fd).size;
  const { line, end } = lastLine(fd, size);
  const cut = size - end;
  if (cut > 0) ftruncateSync(fd, end);
  return { link: line === undefined ? before() : linkOf(line), bytes: end, cut };
}

function lastOfRotated(path: string): Link {
  const last = rotatedFiles(path).at(-1);
  if (last === undefined) return START;
  const fd = openSync(last, "r");
  try {
    const { line } = lastLine(fd, fstatSync(fd).size);
    return line === undefined ? START : linkOf(line);
  } finally {
    closeSync(fd);
  }
}

/** A damaged last line does not keep the agent from starting: its own hash goes on, and the check of the chain tells it. */
function linkOf(line: Buffer): Link {
  try {
    const { seq } = JSON.parse(line.toString("utf8")) as { readonly seq?: unknown };
    if (typeof seq === "number") return { seq, hash: hashLine(line) };
  } catch {
    // Not even JSON.
  }
  return { seq: 0, hash: GENESIS };
}

const CHUNK = 64 * 1024;

/** @returns the last line that ends in a newline, and where it ends. */
function lastLine(fd: number, size: number): { readonly line: Buffer | undefined; readonly end: number } {
  let tail: Buffer = Buffer.alloc(0);
  for (let at = size; ; ) {
    const end = tail.lastIndexOf(10);
    const start = end <= 0 ? -1 : tail.lastIndexOf(10, end - 1);
    if (end >= 0 && (start >= 0 || at === 0)) return { line: tail.subarray(start + 1, end), end: at + end + 1 };
    if (at === 0) return { line: undefined, end: 0 };
    const length = Math.min(CHUNK, at);
    const chunk = Buffer.alloc(length);
    at -= length;
    readSync(fd, chunk, 0, length, at);
    tail = Buffer.concat([chunk, tail]);
  }
}
