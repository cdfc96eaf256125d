import type { TaskState } from "../model/task-state.js";
import { MINUTE, SECOND } from "../model/units.js";
import { settle } from "./testing/fake-clock.js";
import { aGroup, aJob, anAlloc, aService, aTask, poststart, poststop, prestart, restarts, sidecar } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = new Rig();
  await rig.supervisor.start();
});
afterEach(() => rig.close());

const states = (id: string): Record<string, TaskState["State"]> =>
  Object.fromEntries(Object.entries(rig.alloc(id).TaskStates ?? {}).map(([name, { State }]) => [name, State]));
const started = (): readonly string[] => rig.driver.runs.map((run) => run.spec.task);
const stopped = (): readonly string[] => rig.driver.runs.filter((run) => run.stops.length > 0).map((run) => run.spec.task);

describe("the order of a lifecycle", () => {
  test("prestart, main, poststart, poststop, with a sidecar beside them", async () => {
    const id = await rig.run([
      aTask("end", poststop),
      aTask("after", poststart),
      aTask("main"),
      aTask("side", sidecar),
      aTask("init", prestart),
    ]);
    expect(started().toSorted()).toEqual(["init", "side"]);
    expect(Object.keys(states(id)).toSorted()).toEqual(["after", "end", "init", "main", "side"]);
    await rig.exit("init", 0);
    expect(started().slice(2)).toEqual(["main", "after"]);
    await rig.exit("after", 0);
    expect(states(id)).toEqual({ init: "dead", side: "running", main: "running", after: "dead", end: "pending" });
    await rig.exit("main", 0);
    expect(rig.types(id, "side").slice(-4)).toEqual(["Main Tasks Dead", "Killing", "Terminated", "Killed"]);
    expect(started().at(-1)).toBe("end");
    await rig.exit("end", 0);
    expect(rig.alloc(id).ClientStatus).toBe("complete");
    expect(Object.values(rig.alloc(id).TaskStates ?? {}).every((s) => s.State === "dead" && !s.Failed)).toBe(true);
  });

  test("main waits for a prestart that is restarted", async () => {
    await rig.run([aTask("init", { ...prestart, RestartPolicy: restarts(1) }), aTask("main")]);
    await rig.exit("init", 1);
    expect(started()).toEqual(["init"]);
    await rig.clock.advance(1_000);
    await rig.exit("init", 0);
    expect(started()).toEqual(["init", "init", "main"]);
  });

  test("a failing prestart keeps main from starting", async () => {
    const id = await rig.run([aTask("init", prestart), aTask("main")]);
    await rig.exit("init", 3);
    expect(rig.types(id, "main")).toEqual(["Received", "Sibling Task Failed", "Killing"]);
    expect(states(id)).toEqual({ init: "dead", main: "dead" });
    expect(rig.alloc(id).ClientStatus).toBe("failed");
  });

  test("poststop runs after a stop too, and its failure is the allocation's", async () => {
    const id = await rig.run([aTask("main"), aTask("end", poststop)]);
    await rig.stop(id);
    expect(states(id)).toEqual({ main: "dead", end: "running" });
    await rig.exit("end", 1);
    expect(rig.alloc(id).ClientStatus).toBe("failed");
  });
});

describe("one task decides over the others", () => {
  test("a failed task kills its siblings, which have not failed", async () => {
    const id = await rig.run([aTask("bad"), aTask("good")]);
    await rig.exit("bad", 1);
    expect(rig.types(id, "good").slice(-4)).toEqual(["Sibling Task Failed", "Killing", "Terminated", "Killed"]);
    expect(rig.event(id, "good", "Sibling Task Failed")).toMatchObject({
      FailedSibling: "bad",
      DisplayMessage: 'Task\'s sibling "bad" failed',
    });
    expect(rig.task(id, "good").Failed).toBe(false);
    expect(rig.alloc(id).ClientStatus).toBe("failed");
  });

  test("a dead leader ends its followers", async () => {
    const id = await rig.run([aTask("boss", { Leader: true }), aTask("a"), aTask("b")]);
    await rig.exit("boss", 0);
    for (const name of ["a", "b"]) expect(rig.types(id, name)).toContain("Leader Task Dead");
    expect(rig.alloc(id).ClientStatus).toBe("complete");
  });

  test("each is told once, also when it takes its time to end", async () => {
    const id = await rig.run([aTask("bad"), aTask("good")]);
    rig.driver.last("good").obeys = false;
    await rig.exit("bad", 1);
    await rig.stop(id);
    await rig.exit("good", 0);
    expect(rig.types(id, "good").filter((type) => type === "Sibling Task Failed" || type === "Killing")).toHaveLength(2);
  });
});

test("a stop ends the leader first, then the others, then sidecars", async () => {
  const id = await rig.run([aTask("side", sidecar), aTask("x"), aTask("y"), aTask("boss", { Leader: true })]);
  for (const name of ["boss", "x", "y"]) rig.driver.last(name).obeys = false;
  await rig.stop(id);
  expect(stopped()).toEqual(["boss"]);
  await rig.exit("boss", 0);
  expect(stopped().toSorted()).toEqual(["boss", "x", "y"]);
  await rig.exit("x", 0);
  expect(rig.driver.last("side").stops).toEqual([]);
  await rig.exit("y", 0);
  expect(rig.driver.last("side").stops).toHaveLength(1);
  expect(rig.alloc(id).ClientStatus).toBe("complete");
});

describe("restarts of several tasks", () => {
  test("of those that run: none starts before the last has ended, and a finished prestart stays finished", async () => {
    const id = await rig.run([aTask("init", prestart), aTask("side", sidecar), aTask("main")]);
    await rig.exit("init", 0);
    rig.driver.last("side").obeys = false;
    const restarted = rig.supervisor.restart(id, {});
    await settle();
    expect(rig.driver.last("main").isOver).toBe(true);
    expect(started()).toEqual(["init", "side", "main"]);
    await rig.exit("side", 0);
    await restarted;
    await settle();
    expect(started()).toEqual(["init", "side", "main", "side", "main"]);
    expect(rig.event(id, "main", "Restart Signaled").DisplayMessage).toBe("User requested running tasks to restart");
    expect(rig.task(id, "init").Restarts).toBe(0);
  });

  test("of all: those that have ended run again, in the order of the lifecycle", async () => {
    const id = await rig.run([aTask("main"), aTask("init", prestart), aTask("end", poststop)]);
    await rig.exit("init", 0);
    await rig.supervisor.restart(id, { allTasks: true });
    await settle();
    expect(started()).toEqual(["init", "main", "init"]);
    expect(states(id)).toEqual({ init: "running", main: "pending", end: "pending" });
    await rig.exit("init", 0);
    expect(started()).toEqual(["init", "main", "init", "main"]);
    expect(rig.event(id, "init", "Restart Signaled").DisplayMessage).toBe("User requested all tasks to restart");
    expect(rig.task(id, "main").Restarts).toBe(1);
  });

  test("a stop in the middle of it is obeyed", async () => {
    const id = await rig.run([aTask("a"), aTask("b")]);
    rig.driver.last("a").obeys = false;
    const restarted = rig.supervisor.restart(id, {});
    await settle();
    await rig.stop(id);
    await rig.exit("a", 0);
    await restarted;
    expect(states(id)).toEqual({ a: "dead", b: "dead" });
    expect(rig.driver.runs).toHaveLength(2);
  });

  test("are refused when the allocation is over", async () => {
    const id = await rig.run([aTask("t"), aTask("end", poststop)]);
    await rig.exit("t", 0);
    await expect(rig.supervisor.restart(id, { allTasks: true })).rejects.toMatchObject({
      code: "conflict",
      message: "restart of an alloc that should not run",
    });
    await rig.exit("end", 0);
    await expect(rig.supervisor.restart(id, {})).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("an allocation that can not be set up", () => {
  const service = aService("web", { PortLabel: "http", AddressMode: "alloc" });

  test("is a Setup Failure of every task, and none starts", async () => {
    const id = await rig.run([aTask("x"), aTask("y"), aTask("end", poststop)], { group: { Services: [service] } });
    for (const name of ["x", "y", "end"]) {
      expect(rig.types(id, name)).toEqual(["Received", "Setup Failure"]);
      expect(rig.event(id, name, "Setup Failure")).toMatchObject({ FailsTask: true, KillReason: "Failed Restoring Task" });
      expect(rig.event(id, name, "Setup Failure").DisplayMessage).toMatch(
        /^failed to setup alloc: pre-run hook "group_services" failed: .*"web"/,
      );
      expect(rig.task(id, name)).toMatchObject({ State: "dead", Failed: true });
    }
    expect(rig.driver.runs).toEqual([]);
    expect(rig.alloc(id).ClientStatus).toBe("failed");
  });

  test("a network of its own is not pretended", async () => {
    const network = { Mode: "bridge", Device: "", CIDR: "", IP: "", MBits: 0, ReservedPorts: null, DynamicPorts: null };
    const id = await rig.run([aTask("t")], { group: { Networks: [network] } });
    expect(rig.event(id, "t", "Setup Failure").DisplayMessage).toContain('network mode "bridge": task "t" can not join it');
  });

  test("a group that the job has not is refused", async () => {
    const alloc = anAlloc(aJob(aGroup([aTask("t")])), { TaskGroup: "other" });
    await rig.place(alloc);
    expect(rig.alloc(alloc.ID)).toMatchObject({
      ClientStatus: "failed",
      ClientDescription: expect.stringMatching(/^Unable to add allocation due to error: TaskGroup: got "other"/),
    });
  });
});

describe("a replacement", () => {
  test("waits until the one before it is gone, poststop included", async () => {
    const old = await rig.run([aTask("main"), aTask("end", poststop)], { type: "service" });
    const next = await rig.run([aTask("new")], { type: "service", alloc: { PreviousAllocation: old } });
    expect(states(next)).toEqual({ new: "pending" });
    await rig.stop(old);
    expect(started()).toEqual(["main", "end"]);
    await rig.exit("end", 0);
    expect(states(next)).toEqual({ new: "running" });
  });

  test("does not wait for one that nobody knows", async () => {
    const id = await rig.run([aTask("t")], { alloc: { PreviousAllocation: "99999999-0000-0000-0000-000000000000" } });
    expect(states(id)).toEqual({ t: "running" });
  });

  test("can be stopped while it waits", async () => {
    const old = await rig.run([aTask("t")]);
    const next = await rig.run([aTask("u")], { alloc: { PreviousAllocation: old } });
    await rig.stop(next);
    expect(rig.types(next, "u")).toEqual(["Received", "Killing"]);
    expect(rig.alloc(next).ClientStatus).toBe("complete");
  });
});

test("an allocation that has run for too long is complete, and its poststop does not run", async () => {
  const id = await rig.run([aTask("t"), aTask("end", poststop)], { group: { MaxRunDuration: MINUTE } });
  await rig.clock.advance(59_999);
  expect(states(id)).toEqual({ t: "running", end: "pending" });
  await rig.clock.advance(1);
  expect(rig.alloc(id)).toMatchObject({ ClientStatus: "complete", ClientDescription: "allocation exceeded max_run_duration" });
  expect(rig.event(id, "t", "Killing").DisplayMessage).toBe("allocation exceeded max_run_duration");
  expect(started()).toEqual(["t"]);
});

test("the group's shutdown delay comes before any kill, and can be cut short", async () => {
  const id = await rig.run([aTask("t")], { group: { ShutdownDelay: 10 * SECOND } });
  await rig.stop(id);
  await rig.clock.advance(5_000);
  expect(stopped()).toEqual([]);
  await rig.desire(id, { DesiredTransition: { ...rig.alloc(id).DesiredTransition, NoShutdownDelay: true } });
  expect(states(id)).toEqual({ t: "dead" });
  expect(rig.clock.sleeping).toBe(0);
});

describe("health", () => {
  const update = {
    Stagger: 0,
    MaxParallel: 1,
    HealthCheck: "task_states",
    MinHealthyTime: SECOND,
    HealthyDeadline: 30 * SECOND,
    ProgressDeadline: 60 * SECOND,
    AutoRevert: false,
    AutoPromote: false,
    Canary: 0,
  } as const;
  const deployed = { type: "service", group: { Update: update }, alloc: { DeploymentID: "d1" } } as const;

  test("comes after the least healthy time", async () => {
    const id = await rig.run([aTask("t")], deployed);
    await rig.clock.advance(999);
    expect(rig.alloc(id).DeploymentStatus).toBeNull();
    await rig.clock.advance(2);
    expect(rig.alloc(id).DeploymentStatus).toMatchObject({ Healthy: true, Canary: false, Timestamp: expect.any(BigInt) });
    expect(rig.alloc(id).DeploymentStatus?.ModifyIndex).toBeGreaterThan(0);
  });

  test("a failed task is unhealthy at once, and says so", async () => {
    const id = await rig.run([aTask("t")], deployed);
    await rig.exit("t", 1);
    expect(rig.alloc(id).DeploymentStatus?.Healthy).toBe(false);
    expect(rig.event(id, "t", "Alloc Unhealthy").DisplayMessage).toBe("Unhealthy because of failed task");
  });

  test("one that never gets there is unhealthy at the deadline", async () => {
    const id = await rig.run([aTask("init", prestart), aTask("t")], deployed);
    await rig.clock.advance(30_000);
    expect(rig.alloc(id).DeploymentStatus?.Healthy).toBe(false);
    expect(rig.event(id, "t", "Alloc Unhealthy").DisplayMessage).toBe("Task not running by healthy_deadline of 30s");
  });

  test("a stop says nothing of it", async () => {
    const id = await rig.run([aTask("t")], deployed);
    await rig.stop(id);
    await rig.clock.advance(60_000);
    expect(rig.alloc(id).DeploymentStatus).toBeNull();
    expect(rig.types(id, "t").at(-1)).toBe("Killed");
  });

  test("another deployment judges anew", async () => {
    const id = await rig.run([aTask("t")], deployed);
    await rig.clock.advance(2_000);
    const first = rig.alloc(id).DeploymentStatus?.ModifyIndex ?? 0;
    await rig.desire(id, { DeploymentID: "d2" });
    expect(rig.alloc(id).DeploymentStatus).toMatchObject({ Healthy: true });
    expect(rig.alloc(id).DeploymentStatus?.ModifyIndex).toBeGreaterThan(first);
    expect(rig.clock.sleeping).toBe(0);
  });

  test("a batch allocation has none", async () => {
    const id = await rig.run([aTask("t")]);
    await rig.clock.advance(600_000);
    expect(rig.alloc(id).DeploymentStatus).toBeNull();
  });
});
