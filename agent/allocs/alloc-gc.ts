import { readdir } from "node:fs/promises";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Logger } from "../log.js";
import { type Allocation, isClientTerminal } from "../model/allocation.js";
import { formatGoDuration } from "../model/go-duration.js";
import { MILLISECOND, type UnixNano } from "../model/units.js";
import { Slots } from "../slots.js";
import type { Change, StateStore } from "../store/state-store.js";
import { allocRoot } from "./alloc-dir.js";

export interface AllocGcOptions {
  /** Milliseconds between looks at what grows without an allocation's doing. */
  readonly intervalMs: number;
  /** Percent of the file system that the allocations are on. */
  readonly diskUsageThreshold: number;
  readonly inodeUsageThreshold: number;
  /** Ended allocations whose directories are kept. */
  readonly maxAllocs: number;
  /** Milliseconds since an allocation's end; 0 is no limit. */
  readonly maxAgeMs: number;
  readonly parallelDestroys: number;
}

export interface AllocGcDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dataDir: string;
  /** Resolves when nothing of an allocation runs; at once for one that nothing is left to do for. */
  readonly ended: (allocId: string) => Promise<void>;
  readonly isRunning: (allocId: string) => boolean;
  readonly removeDir: (allocId: string) => Promise<void>;
  /** In percent. */
  readonly usage: () => Promise<{ readonly disk: number; readonly inodes: number }>;
  readonly options: AllocGcOptions;
}

/** How long the end of the agent waits for removals. */
const stopDeadlineMs = 5_000;

/**
 * Removes the directories of allocations that have ended, oldest first, when there are too many, they are too old or the
 * disk is too full. What is known of the allocations stays in the store, as a server would keep it, until that has too
 * many of them. Source: reference behaviour §7.4; unlike there allocations that run are not counted, or on a host with
 * many of them the logs of one that failed would be gone as soon as it has.
 */
export class AllocGc {
  readonly #deps: AllocGcDeps;
  /** Allocations that have a directory. */
  readonly #kept = new Set<string>();
  readonly #removals = new Map<string, Promise<void>>();
  /** What could not be removed, until the next look. */
  readonly #stuck = new Set<string>();
  readonly #stopped = new AbortController();
  readonly #slots: Slots;
  #unsubscribe = (): void => {};
  #sweeping: Promise<void> | null = null;
  #isAsked = false;

  constructor(deps: AllocGcDeps) {
    this.#deps = deps;
    this.#slots = new Slots(deps.options.parallelDestroys);
  }

  async start(): Promise<void> {
    const { store, dataDir, clock } = this.#deps;
    for (const name of await readdir(allocRoot(dataDir)).catch(() => [])) if (store.alloc(name)) this.#kept.add(name);
    this.#unsubscribe = store.watch.subscribe((changes) => {
      for (const change of changes) this.#note(change);
    });
    void this.#lookNowAndThen(clock);
  }

  /** @returns resolves when what is being removed is gone, or has taken too long. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#stopped.abort("over");
    const deadline = new AbortController();
    await Promise.race([Promise.all(this.#removals.values()), this.#deps.clock.sleep(stopDeadlineMs, deadline.signal)]);
    deadline.abort("over");
  }

  /**
   * Removes one allocation's directory.
   *
   * @returns resolves when it is gone, at once when it was before.
   * @throws AllocdError `alloc-not-found`, or `conflict` while it runs; whatever keeps it from being removed.
   */
  async collect(allocId: string): Promise<void> {
    const alloc = this.#deps.store.alloc(allocId);
    if (!alloc) throw new AllocdError("alloc-not-found", `Unknown allocation "${allocId}"`);
    if (!isClientTerminal(alloc)) {
      throw new AllocdError("conflict", `No such allocation on client, or allocation not eligible for GC: it is ${alloc.ClientStatus}`);
    }
    await this.#deps.ended(allocId);
    if (this.#kept.has(allocId)) await this.#remove(allocId, "forced collection");
    else await this.#removals.get(allocId);
  }

  /** Removes the directories of all allocations that have ended. Does not wait for it. */
  collectAll(): void {
    for (const { ID } of this.#candidates()) this.#remove(ID, "forced full node collection").catch(() => {});
  }

  #note(change: Change): void {
    if (change.kind === "alloc-create") {
      this.#kept.add(change.alloc.ID);
    } else if (change.kind === "alloc-delete") {
      this.#kept.delete(change.id);
    } else if (change.kind === "alloc-observed" && change.patch.ClientStatus !== undefined) {
      const alloc = this.#deps.store.alloc(change.id);
      if (alloc && isClientTerminal(alloc)) void this.#deps.ended(change.id).then(() => this.#look());
    }
  }

  async #lookNowAndThen(clock: Clock): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#stuck.clear();
      this.#look();
      await clock.sleep(this.#deps.options.intervalMs, this.#stopped.signal);
    }
  }

  /** Looks once more after whatever is going on, however often it is asked for. */
  #look(): void {
    if (this.#stopped.signal.aborted) return;
    this.#isAsked = true;
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
  }

  async #sweep(): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false;
      await Promise.all(Array.from({ length: this.#deps.options.parallelDestroys }, () => this.#removeWhileNeeded()));
    }
  }

  async #removeWhileNeeded(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const { disk, inodes } = await this.#deps.usage().catch(() => ({ disk: 0, inodes: 0 }));
      const all = this.#candidates();
      const oldest = all.find((alloc) => !this.#isAwaited(alloc));
      const reason = oldest ? this.#reasonFor(oldest, all.length, disk, inodes) : "";
      if (!oldest || reason === "") return;
      await this.#remove(oldest.ID, reason).catch(() => {});
    }
  }

  /** Source of the texts: reference behaviour §7.4. */
  #reasonFor(oldest: Allocation, count: number, disk: number, inodes: number): string {
    const { diskUsageThreshold, inodeUsageThreshold, maxAllocs, maxAgeMs } = this.#deps.options;
    if (disk > diskUsageThreshold) return `disk usage of ${Math.round(disk)} over gc threshold of ${diskUsageThreshold}`;
    if (inodes > inodeUsageThreshold) return `inode usage of ${Math.round(inodes)} over gc threshold of ${inodeUsageThreshold}`;
    if (count > maxAllocs) return `number of allocations (${count}) is over the limit (${maxAllocs})`;
    const age = Number(this.#deps.clock.now() - endOf(oldest));
    if (maxAgeMs > 0 && age > maxAgeMs * MILLISECOND) return `it has ended more than ${formatGoDuration(maxAgeMs * MILLISECOND)} ago`;
    return "";
  }

  /** Ended and with a directory, oldest first. */
  #candidates(): readonly Allocation[] {
    const { store, isRunning } = this.#deps;
    const ended = [...this.#kept].flatMap((id) => {
      const alloc = store.alloc(id);
      return alloc && isClientTerminal(alloc) && !isRunning(id) && !this.#stuck.has(id) ? [alloc] : [];
    });
    return ended.sort((a, b) => (endOf(a) < endOf(b) ? -1 : 1));
  }

  /** Whether its replacement has yet to take over the data that it has left. */
  #isAwaited(alloc: Allocation): boolean {
    const disk = alloc.Job.TaskGroups.find(({ Name }) => Name === alloc.TaskGroup)?.EphemeralDisk;
    if (!disk?.Sticky && !disk?.Migrate) return false;
    const next = this.#deps.store.alloc(alloc.NextAllocation);
    if (!next) return alloc.DesiredStatus === "run" && alloc.ClientStatus === "failed";
    return !isClientTerminal(next) && Object.values(next.TaskStates ?? {}).every(({ StartedAt }) => StartedAt === null);
  }

  #remove(id: string, reason: string): Promise<void> {
    const known = this.#removals.get(id);
    if (known) return known;
    const { removeDir, log } = this.#deps;
    this.#kept.delete(id);
    const removal = this.#slots
      .use(this.#stopped.signal, () => removeDir(id))
      .then(() => {
        if (!this.#stopped.signal.aborted) log.info({ allocId: id, reason }, "an allocation's directory was removed");
      })
      .catch((error: unknown) => {
        this.#kept.add(id);
        this.#stuck.add(id);
        log.warn({ err: error, allocId: id }, "an allocation's directory could not be removed");
        throw error;
      })
      .finally(() => this.#removals.delete(id));
    this.#removals.set(id, removal);
    return removal;
  }
}

/** When the last of its tasks ended. */
function endOf({ TaskStates, ModifyTime }: Allocation): UnixNano {
  let latest = 0n;
  for (const { FinishedAt } of Object.values(TaskStates ?? {})) if (FinishedAt !== null && FinishedAt > latest) latest = FinishedAt;
  return latest || ModifyTime;
}
