import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { UpdateStrategy } from "../model/job.js";
import { MINUTE } from "../model/units.js";
import { aJob, anUpdate, aPolicy, aTask } from "./testing/fixtures.js";
import { Host } from "./testing/host.js";

let host: Host;
beforeEach(async () => {
  host = await Host.started();
});
afterEach(async () => {
  await host.close();
  expect(host.clock.sleeping).toBe(0);
});

const version = (n: number, update: Partial<UpdateStrategy> = {}, group = {}) =>
  aJob({}, { Count: 3, Tasks: [aTask({ Env: { N: String(n) } })], Update: anUpdate(update), ...group });
const deployment = (jobVersion: number): Deployment => {
  const found = host.store.deploymentsOfJob("default", "job").find((d) => d.JobVersion === jobVersion);
  if (!found) throw new Error(`version ${jobVersion} has no deployment`);
  return found;
};
const ofVersion = (n: number): readonly Allocation[] => host.live().filter((a) => a.Job.Version === n);
/** Until nobody is left whose health is open. */
const allHealthy = async (): Promise<void> => {
  const open = (): Allocation | undefined => host.live().find((a) => (a.DeploymentStatus?.Healthy ?? null) === null);
  for (let next = open(); next; next = open()) await host.healthy(next);
};
const stable = async (update: Partial<UpdateStrategy> = {}): Promise<void> => {
  await host.register(version(0, update));
  for (const a of host.live()) await host.healthy(a);
  expect(deployment(0).Status).toBe("successful");
};
const names = (allocs: readonly Allocation[]): string[] => allocs.map((a) => a.Name).sort();

describe("canaries", () => {
  const update = { Canary: 1, MaxParallel: 2 };

  test("come first, beside what runs, under the name of one that they will replace", async () => {
    await stable(update);
    const { EvalID } = await host.register(version(1, update));
    expect(names(ofVersion(0))).toEqual(["job.g[0]", "job.g[1]", "job.g[2]"]);
    expect(ofVersion(1)).toMatchObject([
      { Name: "job.g[0]", DeploymentStatus: { Canary: true, Healthy: null }, DeploymentID: deployment(1).ID },
    ]);
    expect(deployment(1)).toMatchObject({
      Status: "running",
      StatusDescription: "Deployment is running but requires manual promotion",
      TaskGroups: { g: { DesiredCanaries: 1, PlacedCanaries: [ofVersion(1)[0]?.ID], DesiredTotal: 3, PlacedAllocs: 1, Promoted: false } },
    });
    expect(host.store.eval(EvalID)?.PlanAnnotations).toMatchObject({ DesiredTGUpdates: { g: { Canary: 1, Place: 0, Ignore: 3 } } });
  });

  test("are not promoted before they are healthy, and then take the others' place", async () => {
    await stable(update);
    await host.register(version(1, update));
    const { ID } = deployment(1);
    await expect(host.jobs.deployments.promote(ID)).rejects.toMatchObject({
      code: "invalid",
      message: 'Task group "g" has 0/1 healthy allocations',
    });
    await host.healthy(host.live().find((a) => a.DeploymentStatus?.Canary) as Allocation);
    await host.pass(2 * 60 * 60_000);
    expect(deployment(1).Status).toBe("running");
    const { EvalID } = await host.jobs.deployments.promote(ID);
    expect(host.store.eval(EvalID)).toMatchObject({ TriggeredBy: "deployment-watcher", Status: "complete" });
    expect(host.live().every((a) => !a.DeploymentStatus?.Canary)).toBe(true);
    expect(ofVersion(0)).toHaveLength(0);
    await allHealthy();
    expect(names(ofVersion(1))).toEqual(["job.g[0]", "job.g[1]", "job.g[2]"]);
    expect(deployment(1)).toMatchObject({ Status: "successful", TaskGroups: { g: { Promoted: true, HealthyAllocs: 3 } } });
    await expect(host.jobs.deployments.promote(ID)).rejects.toMatchObject({
      code: "conflict",
      message: "can't promote terminal deployment",
    });
  });

  test("promote themselves when the update says so", async () => {
    await stable(update);
    await host.register(version(1, { ...update, AutoPromote: true }));
    expect(deployment(1).StatusDescription).toBe("Deployment is running pending automatic promotion");
    await host.healthy(ofVersion(1)[0] as Allocation);
    expect(deployment(1).TaskGroups.g).toMatchObject({ Promoted: true });
    expect(ofVersion(0)).toHaveLength(0);
  });

  test("as many as there are run both colours side by side", async () => {
    await stable(update);
    await host.register(version(1, { Canary: 3 }));
    expect([names(ofVersion(0)), names(ofVersion(1))].map((n) => n.length)).toEqual([3, 3]);
    for (const a of ofVersion(1)) await host.healthy(a);
    await host.jobs.deployments.promote(deployment(1).ID);
    expect(names(host.live())).toEqual(["job.g[0]", "job.g[1]", "job.g[2]"]);
    expect(deployment(1).Status).toBe("successful");
  });

  test("go when the deployment has failed, and the old ones stay", async () => {
    await stable(update);
    await host.register(version(1, update));
    await host.jobs.deployments.fail(deployment(1).ID);
    expect(deployment(1)).toMatchObject({ Status: "failed", StatusDescription: "Deployment marked as failed" });
    expect([ofVersion(0).length, ofVersion(1).length]).toEqual([3, 0]);
  });

  test("while they are on trial what is lost of the old version comes back as it was", async () => {
    await stable(update);
    await host.register(version(1, update));
    const old = ofVersion(0).find((a) => a.Name === "job.g[2]") as Allocation;
    await host.jobs.stopAlloc(old.ID, { noShutdownDelay: false, reschedule: false });
    expect(ofVersion(0).find((a) => a.Name === "job.g[2]")).toMatchObject({ PreviousAllocation: old.ID, Job: { Version: 0 } });
    expect(ofVersion(1)).toHaveLength(1);
  });

  test("of a version that is left behind go with it", async () => {
    await stable(update);
    await host.register(version(1, update));
    await host.register(version(2, update));
    expect([ofVersion(0).length, ofVersion(1).length, ofVersion(2).length]).toEqual([3, 0, 1]);
    expect(deployment(1).Status).toBe("cancelled");
  });

  test("that have failed are tried again as canaries, as the policy says", async () => {
    await stable(update);
    await host.register(version(1, update, { ReschedulePolicy: aPolicy({ Attempts: 2 }) }));
    await host.report(ofVersion(1)[0] as Allocation, "failed", {
      DeploymentStatus: { Healthy: false, Timestamp: null, Canary: true, ModifyIndex: 0 },
    });
    await host.pass(6_000);
    expect(ofVersion(1)).toMatchObject([{ DeploymentStatus: { Canary: true }, RescheduleTracker: { Events: [{}] } }]);
    expect(deployment(1).TaskGroups.g?.PlacedCanaries).toHaveLength(2);
  });
});

describe("a failure", () => {
  test("brings the latest stable version back as a new one, when the update says so", async () => {
    await stable();
    await host.register(version(1, { AutoRevert: true }));
    await host.report(ofVersion(1)[0] as Allocation, "failed", {
      DeploymentStatus: { Healthy: false, Timestamp: null, Canary: false, ModifyIndex: 0 },
    });
    expect(deployment(1)).toMatchObject({
      Status: "failed",
      StatusDescription: "Failed due to unhealthy allocations - rolling back to job version 0",
    });
    expect(host.job()).toMatchObject({ Version: 2, Stable: false, TaskGroups: [{ Tasks: [{ Env: { N: "0" } }] }] });
    await allHealthy();
    expect(ofVersion(2)).toHaveLength(3);
    expect(deployment(2).Status).toBe("successful");
    expect(host.job().Stable).toBe(true);
  });

  test("does not revert to what is there already, nor to what never was stable", async () => {
    await host.register(version(0, { AutoRevert: true, ProgressDeadline: MINUTE }));
    await host.pass(61_000);
    expect(deployment(0)).toMatchObject({
      Status: "failed",
      StatusDescription: "Failed due to progress deadline - no stable job version to auto revert to",
    });
    expect(host.job().Version).toBe(0);
  });

  test("by hand tells the version that comes back", async () => {
    await stable();
    await host.register(version(1, { AutoRevert: true }));
    expect(await host.jobs.deployments.fail(deployment(1).ID)).toMatchObject({ RevertedJobVersion: 0 });
    expect(deployment(1).StatusDescription).toBe("Deployment marked as failed - rolling back to job version 0");
  });

  test("of a rollback is the end of it", async () => {
    const once = { AutoRevert: true, ProgressDeadline: MINUTE };
    await stable(once);
    await host.register(version(1, once));
    await host.jobs.deployments.fail(deployment(1).ID);
    expect(host.job().Version).toBe(2);
    await host.pass(61_000);
    expect(deployment(2).StatusDescription).toBe(
      "Failed due to progress deadline - not rolling back to stable job version 0 as current job has same specification",
    );
    expect(host.job().Version).toBe(2);
  });

  test("stops the placing of more", async () => {
    await stable();
    await host.register(version(1, {}, { Count: 5 }));
    await host.jobs.deployments.fail(deployment(1).ID);
    const before = names(host.live());
    await host.jobs.evaluator.evaluate({ namespace: "default", id: "job" }, { forceReschedule: false });
    expect(names(host.live())).toEqual(before);
  });
});

describe("pausing", () => {
  test("holds an update where it is, and resuming goes on", async () => {
    await stable();
    await host.register(version(1));
    const { ID } = deployment(1);
    expect(await host.jobs.deployments.pause(ID, true)).toMatchObject({ EvalID: "" });
    expect(deployment(1)).toMatchObject({ Status: "paused", StatusDescription: "Deployment is paused" });
    await host.healthy(ofVersion(1)[0] as Allocation);
    expect(ofVersion(1)).toHaveLength(1);
    expect(deployment(1).TaskGroups.g).toMatchObject({ HealthyAllocs: 1 });
    await host.pass(60 * 60_000);
    await host.jobs.deployments.pause(ID, false);
    expect(ofVersion(1).length).toBeGreaterThanOrEqual(1);
    expect(deployment(1).Status).not.toBe("paused");
  });

  test("is over when a newer version comes", async () => {
    await stable();
    await host.register(version(1));
    await host.jobs.deployments.pause(deployment(1).ID, true);
    await host.register(version(2));
    expect(deployment(1)).toMatchObject({ Status: "cancelled", StatusDescription: "Cancelled due to newer version of job" });
  });
});

describe("health that somebody sets", () => {
  test("counts as if it had been seen", async () => {
    await host.register(version(0, { HealthCheck: "manual" }));
    const ids = host.live().map((a) => a.ID);
    await host.jobs.deployments.setHealth(deployment(0).ID, ids, []);
    expect(deployment(0).Status).toBe("successful");
    expect(host.alloc(ids[0] ?? "").DeploymentStatus).toMatchObject({ Healthy: true, Canary: false });
  });

  test("is refused for others, and when there is nothing to say", async () => {
    await host.register(version(0));
    const { ID } = deployment(0);
    await expect(host.jobs.deployments.setHealth(ID, [], [])).rejects.toThrow("must specify at least one healthy/unhealthy allocation ID");
    await expect(host.jobs.deployments.setHealth(ID, ["nope"], [])).rejects.toThrow('unknown alloc "nope"');
    await expect(host.jobs.deployments.fail("nope")).rejects.toMatchObject({ code: "not-found", message: "deployment not found" });
  });
});

test("an update in place joins the deployment and is judged anew", async () => {
  await stable();
  await host.register(version(0, { MaxParallel: 2 }, { Count: 3 }));
  expect(ofVersion(1)).toHaveLength(3);
  expect(ofVersion(1).every((a) => a.DeploymentID === deployment(1).ID && a.DeploymentStatus === null)).toBe(true);
  expect(deployment(1).Status).toBe("running");
  for (const a of ofVersion(1)) await host.healthy(a);
  expect(deployment(1).Status).toBe("successful");
});
