import type { TaskSpec } from "../../driver.js";
import type { DockerHost, DockerOptions } from "../options.js";

/** A task as a runner asks for it. */
export const taskSpec = (change: Partial<TaskSpec> = {}): TaskSpec => ({
  allocId: "0a0b0c0d-0000-4000-8000-000000000001",
  task: "t",
  runId: "0a0b0c0d-0000-4000-8000-000000000001.t.1",
  config: {},
  user: "",
  env: {},
  dirs: {
    alloc: "/a",
    shared: "/a/alloc",
    logs: "/a/alloc/logs",
    task: "/a/t",
    local: "/a/t/local",
    secrets: "/a/t/secrets",
  },
  mounts: [],
  logs: { MaxFiles: 2, MaxFileSizeMB: 1, Disabled: false },
  resources: { cpuShares: 100, memoryMB: 64, memoryMaxMB: 0, cores: [] },
  network: { mode: "host", ports: [], taskPorts: null },
  job: { namespace: "default", id: "job/1", name: "job", parentId: "", group: "g" },
  ...change,
});

export const testHost: DockerHost = { nodeId: "node-1", nodeName: "host", usableMhz: 4000, cores: 2 };

/** The defaults of the configuration. */
export const testOptions: DockerOptions = {
  enabled: true,
  endpoint: "",
  tls: { cert: "", key: "", ca: "" },
  auth: { config: "", helper: "" },
  gc: { image: true, imageDelayMs: 1000, container: true, dangling: { enabled: true, dryRun: false, periodMs: 1000, graceMs: 60_000 } },
  volumes: { enabled: false, selinuxLabel: "" },
  allowPrivileged: false,
  allowCaps: "chown dac_override fsetid fowner mknod setgid setuid setfcap setpcap net_bind_service sys_chroot kill audit_write".split(" "),
  allowRuntimes: ["runc", "nvidia"],
  allowedModes: { pid: [], ipc: [], userns: [], uts: [] },
  infraImage: "",
  imagePullTimeoutMs: 60_000,
  infraImagePullTimeoutMs: 60_000,
  pullActivityTimeoutMs: 60_000,
  containerExistsAttempts: 5,
  pidsLimit: 0,
  oomScoreAdj: 0,
  disableLogCollection: false,
  extraLabels: [],
  logging: { type: "json-file", config: { "max-file": "2", "max-size": "10m" } },
  callTimeoutMs: 60_000,
};
