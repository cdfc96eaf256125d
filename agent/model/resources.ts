import type { Resources } from "./job.js";

/** Every member of Nomad's Resources, asking for nothing. */
export const noResources: Resources = {
  CPU: 0,
  Cores: 0,
  Devices: null,
  DiskMB: 0,
  IOPS: 0,
  MemoryMB: 0,
  MemoryMaxMB: 0,
  NUMA: null,
  Networks: null,
  SecretsMB: 0,
};
