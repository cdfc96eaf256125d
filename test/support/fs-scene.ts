import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { AllocFiles, type AllocFilesOptions } from "../../agent/allocs/fs/alloc-files.js";
import type { Piece, PieceSource } from "../../agent/allocs/fs/piece.js";
import { SystemClock } from "../../agent/clock.js";
import type { Allocation } from "../../agent/model/allocation.js";
import type { StateWatch } from "../../agent/store/state-store.js";
import { openFiles } from "./host.js";

export const sceneAllocId = "11111111-2222-3333-4444-555555555555";

/** One allocation with the task `t` (running) and `late` (not started), its directories in a temporary directory. */
export class FsScene {
  readonly dataDir = mkdtempSync(join(tmpdir(), "allocd-fs-"));
  readonly root = join(this.dataDir, "alloc", sceneAllocId);
  readonly logDir = join(this.root, "alloc", "logs");
  readonly log = pino({ level: "silent" });
  readonly files: AllocFiles;
  #alloc: Allocation | undefined = allocation("running");
  readonly #wakes = new Set<() => void>();

  constructor(options: Partial<AllocFilesOptions> = {}) {
    for (const directory of ["alloc/logs", "alloc/data", "t/local", "t/secrets", "t/private", "late"])
      mkdirSync(join(this.root, directory), { recursive: true });
    const watch: StateWatch = {
      once: (_keys, wake) => {
        this.#wakes.add(wake);
        return () => this.#wakes.delete(wake);
      },
      subscribe: () => () => {},
    };
    this.files = new AllocFiles({
      dataDir: this.dataDir,
      alloc: (id) => (id === sceneAllocId ? this.#alloc : undefined),
      watch,
      clock: new SystemClock(),
      log: this.log,
      options,
    });
  }

  /** Subscriptions that nobody ended. */
  get watchers(): number {
    return this.#wakes.size;
  }

  path(name: string): string {
    return join(this.root, name);
  }

  write(name: string, content: string | Buffer): void {
    writeFileSync(this.path(name), content);
  }

  /** `undefined` removes the allocation. */
  setTask(state: "running" | "dead" | undefined): void {
    this.#alloc = state === undefined ? undefined : allocation(state);
    const wakes = [...this.#wakes];
    this.#wakes.clear();
    for (const wake of wakes) wake();
  }

  remove(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Only the members that the readers of files look at. */
function allocation(state: "running" | "dead"): Allocation {
  const alloc = {
    ID: sceneAllocId,
    TaskGroup: "g",
    Job: { TaskGroups: [{ Name: "g", Tasks: [{ Name: "t" }, { Name: "late" }] }] },
    TaskStates: { t: { State: state, StartedAt: 1n }, late: { State: "pending", StartedAt: null } },
  };
  return alloc as unknown as Allocation;
}

/** Everything up to the end, as bytes; events and heartbeats are left out. */
export async function drain(source: PieceSource): Promise<string> {
  const parts: Buffer[] = [];
  for (let piece = await source.next(never); piece !== null; piece = await source.next(never))
    if (piece.kind === "data") parts.push(piece.data);
  await source.close();
  return Buffer.concat(parts).toString("latin1");
}

/** The next piece that is no heartbeat. */
export async function nextPiece(source: PieceSource): Promise<Piece | null> {
  for (;;) {
    const piece = await source.next(never);
    if (piece?.kind !== "idle") return piece;
  }
}

export const never = new AbortController().signal;

/** Descriptors of this process that hold something on disk or a watch of it. */
export const heldFiles = (): number => openFiles("self").filter(({ target }) => target.includes("allocd-fs-")).length;
