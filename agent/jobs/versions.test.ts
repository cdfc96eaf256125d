import { aBatch, aJob, aTask } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
beforeEach(async () => {
  host = await Host.started();
});
afterEach(() => host.close());

const threeVersions = async (): Promise<void> => {
  for (const Priority of [10, 20, 30]) await host.register(aJob({ Priority }));
};
const priorities = (): readonly unknown[] => host.store.jobVersions("default", "job").map(({ Version, Priority }) => [Version, Priority]);

test("a revert registers the earlier version as a new one", async () => {
  await threeVersions();
  const result = await host.jobs.revert("default", "job", 0);
  expect(host.job()).toMatchObject({ Version: 3, Priority: 10, JobModifyIndex: result.JobModifyIndex });
  expect(priorities()).toEqual([
    [3, 10],
    [2, 30],
    [1, 20],
    [0, 10],
  ]);
});

test("a revert starts a stopped job again", async () => {
  await host.register(aJob());
  await host.jobs.deregister("default", "job", { purge: false, noShutdownDelay: false });
  await host.settle();
  await host.stopped();
  await host.jobs.revert("default", "job", 0);
  expect(host.job()).toMatchObject({ Version: 2, Stop: false });
  expect(host.live()).toHaveLength(1);
});

test("a revert that can not be is refused by what is wrong", async () => {
  await threeVersions();
  const revert = (version: number, prior?: number) => host.jobs.revert("default", "job", version, prior);
  await expect(revert(2)).rejects.toMatchObject({ message: "can't revert to current version", status: 400 });
  await expect(revert(7)).rejects.toMatchObject({ message: 'job "job" in namespace "default" at version 7 not found', status: 404 });
  await expect(revert(0, 1)).rejects.toMatchObject({ message: "Current job has version 2; enforcing version 1", status: 409 });
  await expect(host.jobs.revert("default", "nope", 0)).rejects.toMatchObject({ message: 'job "nope" not found', status: 404 });
  expect(host.job().Version).toBe(2);
  await revert(0, 2);
  expect(host.job().Version).toBe(3);
});

test("a version that is no longer the current one can be marked as stable", async () => {
  await threeVersions();
  await host.jobs.setStable("default", "job", 1, true);
  expect(host.store.jobVersions("default", "job").map(({ Stable }) => Stable)).toEqual([false, true, false]);
  expect(host.job()).toMatchObject({ Version: 2, Priority: 30, Stable: false });
  await host.jobs.setStable("default", "job", 2, true);
  expect(host.job().Stable).toBe(true);
  await host.jobs.setStable("default", "job", 1, false);
  expect(host.store.jobVersions("default", "job").map(({ Stable }) => Stable)).toEqual([true, false, false]);
  await expect(host.jobs.setStable("default", "job", 9, true)).rejects.toMatchObject({ status: 404 });
});

test("garbage is what has ended: the rest stays", async () => {
  await host.register(aBatch({ ID: "over" }));
  await host.register(aBatch({ ID: "busy" }));
  await host.register(aJob({ ID: "stopped" }));
  await host.register(aBatch({ ID: "parent", ParameterizedJob: { Payload: "optional", MetaRequired: null, MetaOptional: null } }));
  await host.report(host.only("over"), "complete");
  await host.jobs.deregister("default", "stopped", { purge: false, noShutdownDelay: false });
  await host.settle();
  await host.stopped();
  await host.jobs.collectGarbage();
  expect(host.store.jobs().map(({ ID }) => ID)).toEqual(["busy", "parent"]);
  expect(host.store.allocs().map(({ JobID }) => JobID)).toEqual(["busy"]);
  expect([...new Set(host.store.evals().map(({ JobID }) => JobID))]).toEqual(["busy"]);
  expect(host.store.deploymentsOfJob("default", "stopped")).toEqual([]);
});

test("of jobs that are over and left nothing, only the latest are kept", async () => {
  await host.close();
  host = await Host.started(undefined, { maxDeadJobs: 2 });
  const tooLarge = { Resources: { CPU: 1_000_000, Cores: 0, MemoryMB: 100, MemoryMaxMB: 0, DiskMB: 0, Networks: null } };
  for (const ID of ["a", "b", "c", "d"]) {
    await host.register(aBatch({ ID }, { Tasks: [aTask(tooLarge)] }));
    expect(host.job(ID).Status).toBe("pending");
    await host.jobs.deregister("default", ID, { purge: false, noShutdownDelay: false });
    await host.settle();
  }
  expect(host.store.jobs().map(({ ID }) => ID)).toEqual(["c", "d"]);
  expect([...new Set(host.store.evals().map(({ JobID }) => JobID))]).toEqual(["c", "d"]);
});

test("a job is only taken into a namespace that is there, and that one stays as long as it has jobs", async () => {
  const web = aJob({ Namespace: "web" });
  await expect(host.jobs.register(web)).rejects.toMatchObject({ message: 'job "job" is in nonexistent namespace "web"', status: 400 });
  const namespace = { Name: "web", Description: "", Meta: null, Quota: "", Capabilities: null, CreateIndex: 0, ModifyIndex: 0 };
  await host.jobs.namespaces.put(namespace);
  await host.jobs.register(web);
  await expect(host.jobs.namespaces.delete("web")).rejects.toMatchObject({ status: 409, message: expect.stringContaining('"job"') });
  await host.jobs.deregister("web", "job", { purge: true, noShutdownDelay: false });
  await host.jobs.namespaces.delete("web");
  await expect(host.jobs.namespaces.delete("web")).rejects.toMatchObject({ status: 404 });
  await expect(host.jobs.namespaces.delete("default")).rejects.toThrow("default namespace can not be deleted");
});

test("a job that comes while its namespace goes gets in, or the namespace is gone: never both", async () => {
  const namespace = { Name: "web", Description: "", Meta: null, Quota: "", Capabilities: null, CreateIndex: 0, ModifyIndex: 0 };
  for (const first of ["job", "delete"]) {
    await host.jobs.namespaces.put(namespace);
    const register = () => host.jobs.register(aJob({ Namespace: "web" }));
    const remove = () => host.jobs.namespaces.delete("web");
    const results = await Promise.allSettled(first === "job" ? [register(), remove()] : [remove(), register()]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(host.store.namespace("web") !== undefined).toBe(host.store.job("web", "job") !== undefined);
    if (host.store.job("web", "job")) await host.jobs.deregister("web", "job", { purge: true, noShutdownDelay: false });
  }
});

test("a namespace says which drivers its jobs may use", async () => {
  const limits = { EnabledTaskDrivers: ["docker"], DisabledTaskDrivers: null };
  const namespace = { Name: "web", Description: "", Meta: null, Quota: "", Capabilities: limits, CreateIndex: 0, ModifyIndex: 0 };
  await host.jobs.namespaces.put(namespace);
  await expect(host.jobs.register(aJob({ Namespace: "web" }))).rejects.toThrow(
    'Job.TaskGroups[0].Tasks[0].Driver: got "raw_exec", want a driver that namespace "web" allows',
  );
});
