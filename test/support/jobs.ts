/** Nanoseconds. */
export const SECOND = 1_000_000_000;

type Members = Readonly<Record<string, unknown>>;

/** A raw_exec task that runs a shell script, with little of everything. */
export const shell = (name: string, script: string, more: Members = {}): Members => ({
  Name: name,
  Driver: "raw_exec",
  Config: { command: "/bin/sh", args: ["-c", script] },
  Resources: { CPU: 5, MemoryMB: 10 },
  KillTimeout: 2 * SECOND,
  ...more,
});

/** A job of one group "g" that is never restarted, unless `group` says so. */
export const job = (id: string, tasks: readonly Members[], more: Members = {}, group: Members = {}): Members => ({
  ID: id,
  Name: id,
  Type: "service",
  Datacenters: ["*"],
  TaskGroups: [
    {
      Name: "g",
      Count: 1,
      EphemeralDisk: { SizeMB: 10 },
      RestartPolicy: { Attempts: 0, Interval: 600 * SECOND, Delay: SECOND, Mode: "fail" },
      ReschedulePolicy: { Attempts: 0, Unlimited: false, Interval: 0 },
      Tasks: tasks.map((task) => ({ LogConfig: { MaxFiles: 2, MaxFileSizeMB: 4 }, ...task })),
      ...group,
    },
  ],
  ...more,
});
