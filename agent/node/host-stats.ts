import { readFile, statfs } from "node:fs/promises";
import os from "node:os";
import type { Clock } from "../clock.js";
import type { UnixNano } from "../model/units.js";

/** How long the CPUs are watched when nobody has asked lately. */
const watchMs = 200;
const staleMs = 10_000;
const bytesPerKiB = 1024;

export interface HostStats {
  readonly AllocDirStats: DiskStats;
  readonly CPU: readonly CpuUse[];
  /** MHz. */
  readonly CPUTicksConsumed: number;
  readonly DeviceStats: null;
  readonly DiskStats: readonly DiskStats[];
  /** Bytes. */
  readonly Memory: { readonly Available: number; readonly Free: number; readonly Total: number; readonly Used: number };
  readonly Timestamp: UnixNano;
  /** Seconds. */
  readonly Uptime: number;
}

interface DiskStats {
  readonly Available: number;
  readonly Device: string;
  readonly InodesUsedPercent: number;
  readonly Mountpoint: string;
  readonly Size: number;
  readonly Used: number;
  readonly UsedPercent: number;
}

interface CpuUse {
  readonly CPU: string;
  readonly Idle: number;
  readonly System: number;
  readonly TotalPercent: number;
  readonly TotalTicks: number;
  readonly User: number;
}

interface Sample {
  readonly cpus: readonly os.CpuInfo[];
  readonly monotonicMs: number;
}

/** What this host uses: sampled only when someone asks. Source: reference behaviour §11.4. */
export class HostStatsReader {
  readonly #clock: Clock;
  readonly #dataDir: string;
  #last: Sample | undefined;

  constructor(deps: { readonly clock: Clock; readonly dataDir: string }) {
    this.#clock = deps.clock;
    this.#dataDir = deps.dataDir;
  }

  async read(): Promise<HostStats> {
    const [cpus, disk, memory] = await Promise.all([this.#cpus(), diskStats(this.#dataDir), memoryStats()]);
    return {
      AllocDirStats: disk,
      CPU: cpus,
      CPUTicksConsumed: cpus.reduce((sum, cpu) => sum + cpu.TotalTicks, 0),
      DeviceStats: null,
      DiskStats: [disk],
      Memory: memory,
      Timestamp: this.#clock.now(),
      Uptime: Math.floor(os.uptime()),
    };
  }

  async #cpus(): Promise<readonly CpuUse[]> {
    let before = this.#last;
    const age = before ? this.#clock.monotonicMs() - before.monotonicMs : Number.POSITIVE_INFINITY;
    if (!before || age > staleMs || age < watchMs) {
      before = this.#sample();
      await this.#clock.sleep(watchMs);
    }
    const now = this.#sample();
    this.#last = now;
    return now.cpus.map((cpu, core) => cpuUse(core, before.cpus[core] ?? cpu, cpu));
  }

  #sample(): Sample {
    return { cpus: os.cpus(), monotonicMs: this.#clock.monotonicMs() };
  }
}

function cpuUse(core: number, before: os.CpuInfo, now: os.CpuInfo): CpuUse {
  const spent = (kind: keyof os.CpuInfo["times"]): number => now.times[kind] - before.times[kind];
  const total = Math.max(1, spent("user") + spent("nice") + spent("sys") + spent("irq") + spent("idle"));
  const percent = (ms: number): number => (ms / total) * 100;
  const TotalPercent = 100 - percent(spent("idle"));
  return {
    CPU: `cpu${core}`,
    Idle: percent(spent("idle")),
    System: percent(spent("sys")),
    TotalPercent,
    TotalTicks: (TotalPercent / 100) * now.speed,
    User: percent(spent("user") + spent("nice")),
  };
}

export async function diskStats(dir: string): Promise<DiskStats> {
  const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(dir);
  const Used = (blocks - bfree) * bsize;
  return {
    Available: bavail * bsize,
    Device: "",
    InodesUsedPercent: files === 0 ? 0 : ((files - ffree) / files) * 100,
    Mountpoint: "",
    Size: blocks * bsize,
    Used,
    UsedPercent: blocks === 0 ? 0 : (Used / (blocks * bsize)) * 100,
  };
}

async function memoryStats(): Promise<HostStats["Memory"]> {
  const text = await readFile("/proc/meminfo", "utf8");
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * bytesPerKiB;
  const Total = bytes("MemTotal");
  const Available = bytes("MemAvailable");
  return { Available, Free: bytes("MemFree"), Total, Used: Total - Available };
}
