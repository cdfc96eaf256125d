import type { ResourceSample } from "../driver.js";

/** What is looked at of the engine's statistics. Which there are depends on the version of the host's cgroups. */
export interface EngineStats {
  readonly cpu_stats: {
    readonly cpu_usage: { readonly total_usage?: number; readonly usage_in_usermode?: number; readonly usage_in_kernelmode?: number };
    readonly throttling_data?: { readonly throttled_periods?: number; readonly throttled_time?: number };
  };
  readonly memory_stats: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
}

/** Source of what is measured: reference behaviour §11.3. */
export function sampleOf({ cpu_stats: cpu, memory_stats: memory }: EngineStats): ResourceSample {
  const { total_usage: total = 0, usage_in_kernelmode: system = 0 } = cpu.cpu_usage;
  const { throttled_periods: periods = 0, throttled_time: timeNs = 0 } = cpu.throttling_data ?? {};
  const { stats = {} } = memory;
  return {
    // The parts are counted in ticks, the total is exact.
    userCpuNs: Math.max(0, total - system),
    systemCpuNs: Math.min(system, total),
    throttled: { periods, timeNs },
    memory: {
      RSS: stats.total_rss ?? stats.rss ?? stats.anon ?? 0,
      Cache: stats.total_cache ?? stats.cache ?? stats.file ?? 0,
      Swap: stats.total_swap ?? stats.swap ?? 0,
      Usage: memory.usage ?? 0,
      ...(memory.max_usage === undefined ? {} : { MaxUsage: memory.max_usage }),
    },
  };
}
