import type { ResourceSample, TaskRun, TaskUsage } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { UnixNano } from "../model/units.js";

/** Two samples closer than this tell nothing: the kernel counts CPU time in steps of 10 ms. */
const shortestMs = 100;
/** A first sample that is older says nothing of now. */
const staleMs = 10_000;
/** Tasks whose last sample is kept; beyond, the oldest is forgotten and costs its next reader one more sample. */
const maxKept = 4_096;

export interface CpuStats {
  readonly Measured: readonly string[] | null;
  /** Of one core; two busy cores are 200. */
  readonly Percent: number;
  readonly SystemMode: number;
  readonly UserMode: number;
  readonly ThrottledPeriods: number;
  readonly ThrottledTime: number;
  /** MHz. */
  readonly TotalTicks: number;
}

export interface ResourceUsage {
  readonly CpuStats: CpuStats;
  /** Bytes. */
  readonly MemoryStats: Readonly<Record<string, number | readonly string[] | null>>;
  readonly DeviceStats: readonly never[];
}

export interface TaskResourceUsage {
  readonly Pids: Readonly<Record<string, ResourceUsage>> | null;
  readonly ResourceUsage: ResourceUsage;
  readonly Timestamp: UnixNano | number;
}

export interface AllocResourceUsage {
  readonly ResourceUsage: ResourceUsage;
  readonly Tasks: Readonly<Record<string, TaskResourceUsage>>;
  readonly Timestamp: UnixNano | number;
}

export interface AllocStatsDeps {
  /** The runs of an allocation's tasks that are there now. @throws AllocdError for an unknown allocation. */
  readonly runs: (allocId: string) => ReadonlyMap<string, TaskRun>;
  /** MHz of one core. */
  readonly coreMhz: () => number;
  readonly clock: Clock;
}

interface Taken {
  readonly usage: TaskUsage;
  readonly at: UnixNano;
  readonly monotonicMs: number;
}

/** What tasks use: sampled only when someone asks. Source: reference behaviour §11.3. */
export class AllocStats {
  readonly #deps: AllocStatsDeps;
  readonly #taken = new Map<string, Taken>();

  constructor(deps: AllocStatsDeps) {
    this.#deps = deps;
  }

  /** @param task only this one; "" is all. */
  async of(allocId: string, task = ""): Promise<AllocResourceUsage> {
    const runs = [...this.#deps.runs(allocId)].filter(([name]) => task === "" || name === task);
    const tasks = await Promise.all(runs.map(async ([name, run]) => [name, await this.#ofRun(run)] as const));
    const known = tasks.filter((entry): entry is readonly [string, TaskResourceUsage] => entry[1] !== undefined);
    return {
      ResourceUsage: sum(known.map(([, usage]) => usage.ResourceUsage)),
      Tasks: Object.fromEntries(known),
      Timestamp: known.length > 0 ? this.#deps.clock.now() : 0,
    };
  }

  async #ofRun(run: TaskRun): Promise<TaskResourceUsage | undefined> {
    try {
      let before = this.#taken.get(run.runId);
      if (!before || this.#age(before) > staleMs) before = await this.#take(run);
      if (this.#age(before) < shortestMs) await this.#deps.clock.sleep(shortestMs);
      const now = await this.#take(run);
      this.#keep(run.runId, now);
      return this.#usage(before, now);
    } catch {
      // It has ended meanwhile.
      return undefined;
    }
  }

  async #take(run: TaskRun): Promise<Taken> {
    const { clock } = this.#deps;
    return { usage: await run.usage(), at: clock.now(), monotonicMs: clock.monotonicMs() };
  }

  #keep(runId: string, taken: Taken): void {
    this.#taken.delete(runId);
    this.#taken.set(runId, taken);
    for (const oldest of this.#taken.keys()) {
      if (this.#taken.size <= maxKept) break;
      this.#taken.delete(oldest);
    }
  }

  #age(taken: Taken): number {
    return this.#deps.clock.monotonicMs() - taken.monotonicMs;
  }

  #usage(before: Taken, now: Taken): TaskResourceUsage {
    const elapsedNs = (now.monotonicMs - before.monotonicMs) * 1e6;
    const mhz = this.#deps.coreMhz();
    const { processes } = now.usage;
    return {
      Pids: processes && mapValues(processes, (sample, pid) => resourceUsage(before.usage.processes?.[pid], sample, elapsedNs, mhz)),
      ResourceUsage: resourceUsage(before.usage.total, now.usage.total, elapsedNs, mhz),
      Timestamp: now.at,
    };
  }
}

/** A process that was not there before has used nothing before. */
function resourceUsage(before: ResourceSample | undefined, now: ResourceSample, elapsedNs: number, mhz: number): ResourceUsage {
  const percent = (of: (sample: ResourceSample) => number): number => (Math.max(0, of(now) - (before ? of(before) : 0)) / elapsedNs) * 100;
  const UserMode = percent((sample) => sample.userCpuNs);
  const SystemMode = percent((sample) => sample.systemCpuNs);
  const Percent = UserMode + SystemMode;
  const throttling = now.throttled && { ThrottledPeriods: now.throttled.periods, ThrottledTime: now.throttled.timeNs };
  return {
    CpuStats: {
      ...noCpu,
      ...throttling,
      Measured: throttling ? ["Throttled Periods", "Throttled Time", "Percent"] : ["System Mode", "User Mode", "Percent"],
      Percent,
      SystemMode,
      UserMode,
      TotalTicks: (Percent / 100) * mhz,
    },
    MemoryStats: { ...noMemory, ...now.memory, Measured: Object.keys(now.memory).map((name) => measuredNames[name] ?? name) },
    DeviceStats: [],
  };
}

function sum(usages: readonly ResourceUsage[]): ResourceUsage {
  const [first] = usages;
  if (!first) return { CpuStats: noCpu, MemoryStats: noMemory, DeviceStats: [] };
  const total = <T extends object>(of: (usage: ResourceUsage) => T): T =>
    mapValues(of(first) as Record<string, unknown>, (value, name) =>
      typeof value === "number" ? usages.reduce((so, usage) => so + Number((of(usage) as Record<string, unknown>)[name] ?? 0), 0) : value,
    ) as T;
  return { CpuStats: total((usage) => usage.CpuStats), MemoryStats: total((usage) => usage.MemoryStats), DeviceStats: [] };
}

const mapValues = <V, R>(record: Readonly<Record<string, V>>, change: (value: V, key: string) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));

/** Where what was measured is told by another name than the member's. */
const measuredNames: Readonly<Record<string, string>> = { MaxUsage: "Max Usage" };

const noCpu: CpuStats = { Measured: null, Percent: 0, SystemMode: 0, UserMode: 0, ThrottledPeriods: 0, ThrottledTime: 0, TotalTicks: 0 };
const noMemory = { Cache: 0, KernelMaxUsage: 0, KernelUsage: 0, MappedFile: 0, MaxUsage: 0, Measured: null, RSS: 0, Swap: 0, Usage: 0 };
