import { TaskConfigError, type TaskLimits } from "../../driver.js";
import type { DockerTaskConfig } from "../config/task-config.js";
import type { DockerHost, DockerOptions } from "../options.js";

const bytesPerMiB = 1024 * 1024;
/** What the kernel takes for cpu.shares. */
const shares = { min: 2, max: 262_144 };
/** The engine refuses less. */
const minQuotaUs = 1_000;

/** Source: reference behaviour §6.3. @throws TaskConfigError for a limit below what the task asks for, or above what may be. */
export function limits(resources: TaskLimits, config: DockerTaskConfig, host: DockerHost, { pidsLimit }: Pick<DockerOptions, "pidsLimit">) {
  return {
    ...memoryLimits(resources, config.memoryHardLimit),
    CpuShares: Math.min(shares.max, Math.max(shares.min, Math.floor(resources.cpuShares))),
    CpusetCpus: resources.cores.length > 0 ? resources.cores.join(",") : config.cpusetCpus,
    PidsLimit: pids(config.pidsLimit, pidsLimit),
    ...(config.cpuHardLimit ? hardCpuLimit(resources.cpuShares, config.cpuCfsPeriod, host) : {}),
    Ulimits: config.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
}

/** Without swap: a task that needs more than it asked for is to be told, not to slow the host down. */
function memoryLimits({ memoryMB, memoryMaxMB }: TaskLimits, hardLimitMB: number) {
  if (hardLimitMB > 0 && hardLimitMB < memoryMB)
    throw new TaskConfigError(`task memory requirements exceed driver hard limit of ${hardLimitMB} MB`);
  const reservation = { MemoryReservation: memoryMB * bytesPerMiB };
  if (memoryMaxMB < 0) return { Memory: 0, ...reservation };
  const max = Math.max(memoryMaxMB, hardLimitMB);
  const Memory = (max > 0 ? max : memoryMB) * bytesPerMiB;
  return { Memory, MemorySwap: Memory, ...(max > 0 ? reservation : {}) };
}

function hardCpuLimit(cpuShares: number, period: number, { usableMhz, cores }: DockerHost) {
  const quota = Math.floor((cpuShares / Math.max(1, usableMhz)) * period) * cores;
  return { CpuPeriod: period, CpuQuota: Math.max(minQuotaUs, quota) };
}

function pids(wanted: number, allowed: number): number {
  if (allowed > 0 && wanted > allowed)
    throw new TaskConfigError(`pids_limit cannot be greater than nomad plugin config pids_limit: ${allowed}`);
  if (wanted > 0) return wanted;
  return allowed > 0 ? allowed : -1;
}
