import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import type { ServiceCheck, TaskGroup } from "../model/job.js";
import { SECOND } from "../model/units.js";
import { settle } from "./testing/fake-clock.js";
import { aCheck, aGroup, aJob, anAlloc, aService, aTask, prestart, restarts, sidecar } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;
let server: Server;
let port: number;

beforeEach(async () => {
  rig = new Rig();
  await rig.supervisor.start();
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  await rig.close();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
});

const names = (): readonly string[] =>
  rig.store
    .services()
    .map(({ ServiceName }) => ServiceName)
    .sort();
const closeServer = (): Promise<unknown> => new Promise((resolve) => server.close(resolve));
const check = (more: Partial<ServiceCheck> = {}): ServiceCheck => aCheck("alive", { PortLabel: String(port), ...more });
const results = (id: string) => Object.values(rig.supervisor.checks(id) ?? {});
/** Lets one look of a check come to its result, which takes real time. */
const looked = (id: string, status: string): Promise<void> =>
  rig.until(`a check to be ${status}`, () => results(id).every(({ Status }) => Status === status) && results(id).length > 0);

describe("registration", () => {
  test("a task's services are there while it runs, the group's while a main task does", async () => {
    const id = await rig.run(
      [
        aTask("before", { ...prestart, Services: [aService("early")] }),
        aTask("main", {
          Services: [aService("web"), aService("api-${NOMAD_TASK_NAME}", { PortLabel: "80", Tags: ["${NOMAD_ALLOC_INDEX}"] })],
        }),
      ],
      { type: "batch", group: { Services: [aService("group")] } },
    );
    expect(names()).toEqual(["early"]);
    await rig.exit("before", 0);
    expect(names()).toEqual(["api-main", "group", "web"]);
    expect(rig.store.servicesNamed("api-main")).toMatchObject([
      { ID: `_nomad-task-${id}-main-api-main-80`, AllocID: id, JobID: "j", Address: "127.0.0.1", Port: 80, Tags: ["0"] },
    ]);
    expect(rig.store.servicesNamed("group")[0]?.ID).toBe(`_nomad-task-${id}-group-g-group-`);
    await rig.exit("main", 0);
    expect(names()).toEqual([]);
  });

  test("a group's service that names a task is there with that task", async () => {
    await rig.run([aTask("proxy", sidecar), aTask("main")], {
      type: "service",
      group: { Services: [aService("edge", { TaskName: "proxy" })] },
    });
    rig.driver.last("main");
    expect(names()).toEqual(["edge"]);
  });

  test("is taken back before the shutdown delay, and before the signal", async () => {
    const id = await rig.run([aTask("t", { ShutdownDelay: 5 * SECOND, Services: [aService("own")] })], {
      type: "service",
      group: { Services: [aService("group")], ShutdownDelay: 3 * SECOND },
    });
    await rig.stop(id);
    expect([names(), rig.driver.last("t").stops]).toEqual([["own"], []]);
    await rig.clock.advance(3_000);
    expect([names(), rig.driver.last("t").stops]).toEqual([[], []]);
    await rig.clock.advance(5_000);
    expect(rig.driver.last("t").stops).toHaveLength(1);
  });

  test("does not keep a task from being stopped when the disk is full", async () => {
    const id = await rig.run([aTask("t", { Services: [aService("own")] })], { type: "service" });
    let heal = (): void => {};
    const stalled = new Promise<void>((resolve) => (heal = resolve));
    let writes = 0;
    // The order to stop is the last that the disk takes.
    rig.beforeWrite = () => (writes++ === 0 ? Promise.resolve() : stalled);
    await rig.stop(id);
    expect(rig.driver.last("t").stops).toEqual([]);
    await rig.clock.advance(1_000);
    expect(rig.driver.last("t").stops).toHaveLength(1);
    heal();
    await settle();
  });

  test("follows restarts", async () => {
    const id = await rig.run([aTask("t", { Services: [aService("own")], RestartPolicy: restarts(1) })], {
      type: "service",
      group: { Services: [aService("group")] },
    });
    await rig.exit("t", 1);
    expect(names()).toEqual([]);
    await rig.clock.advance(1_000);
    expect(names()).toEqual(["group", "own"]);
    await rig.supervisor.restart(id, {});
    await settle();
    expect(names()).toEqual(["group", "own"]);
  });

  test("outlives the agent without a change, for a task that goes on", async () => {
    await rig.run([aTask("t", { Services: [aService("own")] })], { type: "service", group: { Services: [aService("group")] } });
    const before = [rig.store.services(), rig.store.tableIndex("services")];
    await rig.replaceAgent();
    expect([rig.store.services(), rig.store.tableIndex("services")]).toEqual(before);
    await rig.replaceAgent(() => rig.exit("t", 0));
    expect(names()).toEqual([]);
  });

  test("of an allocation that ended while nobody looked is removed by the next agent", async () => {
    const id = await rig.run([aTask("t")]);
    await rig.exit("t", 0);
    const service = { ...aRegistration(id) };
    await rig.replaceAgent(() => rig.store.commit([{ kind: "service", service }]).then(() => {}));
    expect(names()).toEqual([]);
  });

  test("an update in place changes it, and touches nothing else", async () => {
    const group = (tag: string): TaskGroup => aGroup([aTask("t", { Services: [aService("own", { Tags: [tag] })] })]);
    const id = await rig.place(anAlloc(aJob(group("old"), "service")));
    await rig.desire(id, { Job: aJob(group("new"), "service") });
    expect(rig.store.servicesNamed("own")).toMatchObject([{ Tags: ["new"] }]);
    expect(rig.driver.runs).toHaveLength(1);
  });

  test("a task whose service has no address goes on, and says so once", async () => {
    const id = await rig.run([aTask("t", { Services: [aService("own", { PortLabel: "none" })] }), aTask("u")], { type: "service" });
    expect(rig.types(id, "t").filter((type) => type === "Task hook failed")).toHaveLength(1);
    expect(rig.event(id, "t", "Task hook failed").Message).toBe(
      'task_services: unable to get address for service "own": invalid port "none": port label not found',
    );
    expect(rig.task(id, "t").State).toBe("running");
  });

  test("goes with its allocation", async () => {
    const id = await rig.run([aTask("t", { Services: [aService("own")] })], { type: "service" });
    await rig.store.commit([{ kind: "alloc-delete", id }]);
    expect(names()).toEqual([]);
  });

  test("a canary has its own tags", async () => {
    const service = aService("own", { Tags: ["live"], CanaryTags: ["canary"] });
    const id = await rig.run([aTask("t", { Services: [service] })], { type: "service" });
    expect(rig.store.servicesNamed("own")[0]?.Tags).toEqual(["live"]);
    await rig.store.commit([
      { kind: "alloc-observed", id, patch: { DeploymentStatus: { Healthy: null, Timestamp: null, Canary: true, ModifyIndex: 0 } } },
      { kind: "alloc-desired", id, patch: {} },
    ]);
    await settle();
    expect(rig.store.servicesNamed("own")[0]?.Tags).toEqual(["canary"]);
  });
});

describe("checks", () => {
  test("are pending, then look after half an interval, and are gone with the allocation", async () => {
    const id = await rig.run([aTask("t", { Services: [aService("web", { Checks: [check()] })] })], { type: "service" });
    expect(results(id)).toMatchObject([
      {
        Check: "alive",
        Group: "j.g[0]",
        Mode: "healthiness",
        Output: "nomad: waiting to run",
        Service: "web",
        Status: "pending",
        Task: "t",
      },
    ]);
    await rig.clock.advance(5_000);
    await looked(id, "success");
    expect(results(id)[0]?.Output).toBe("nomad: tcp ok");
    await closeServer();
    await rig.clock.advance(10_000);
    await looked(id, "failure");
    await rig.stop(id);
    expect(rig.supervisor.checks(id)).toBeNull();
  });

  test("have to pass for min_healthy_time before the allocation is healthy", async () => {
    const Migrate = { MaxParallel: 1, HealthCheck: "checks", MinHealthyTime: 10 * SECOND, HealthyDeadline: 300 * SECOND } as const;
    const id = await rig.run([aTask("t", { Services: [aService("web", { Checks: [check()] })] })], { type: "service", group: { Migrate } });
    await rig.clock.advance(4_900);
    await rig.clock.advance(100);
    await looked(id, "success");
    await rig.clock.advance(9_000);
    expect(rig.alloc(id).DeploymentStatus).toBeNull();
    await rig.clock.advance(2_000);
    expect(rig.alloc(id).DeploymentStatus?.Healthy).toBe(true);
  });

  test("that never pass make it unhealthy at the deadline, unless they are to be ignored", async () => {
    await closeServer();
    const Migrate = { MaxParallel: 1, HealthCheck: "checks", MinHealthyTime: SECOND, HealthyDeadline: 60 * SECOND } as const;
    const run = (OnUpdate: ServiceCheck["OnUpdate"]) =>
      rig.run([aTask("t", { Services: [aService("web", { Checks: [check({ OnUpdate })] })] })], { type: "service", group: { Migrate } });
    const strict = await run("require_healthy");
    const lax = await run("ignore");
    await rig.clock.advance(5_000);
    await looked(strict, "failure");
    await looked(lax, "failure");
    expect(results(lax)[0]?.Mode).toBe("readiness");
    await rig.clock.advance(54_000);
    expect(rig.alloc(strict).DeploymentStatus).toBeNull();
    expect(rig.alloc(lax).DeploymentStatus?.Healthy).toBe(true);
    await rig.clock.advance(2_000);
    expect(rig.alloc(strict).DeploymentStatus?.Healthy).toBe(false);
  });

  test("that fail ask for a restart, which the policy counts", async () => {
    await closeServer();
    const CheckRestart = { Limit: 2, Grace: SECOND, IgnoreWarnings: false };
    const id = await rig.run(
      [aTask("t", { Services: [aService("web", { Checks: [check({ CheckRestart })] })], RestartPolicy: restarts(1) })],
      {
        type: "service",
      },
    );
    const failTwice = async (): Promise<void> => {
      await rig.clock.advance(5_000);
      await looked(id, "failure");
      await rig.clock.advance(10_000);
    };
    await failTwice();
    await rig.until("the restart", () => rig.types(id, "t").includes("Restarting"));
    expect(rig.types(id, "t").slice(-3)).toEqual(["Restart Signaled", "Terminated", "Restarting"]);
    expect(rig.event(id, "t", "Restart Signaled").RestartReason).toBe('healthcheck: check "alive" unhealthy');
    expect(rig.event(id, "t", "Restarting").RestartReason).toBe("Restart within policy");
    await rig.clock.advance(1_000);
    expect(rig.driver.of("t")).toHaveLength(2);
    await failTwice();
    await rig.until("the end", () => rig.task(id, "t").State === "dead");
    expect(rig.types(id, "t").slice(-3)).toEqual(["Restart Signaled", "Terminated", "Not Restarting"]);
    expect(rig.task(id, "t").Failed).toBe(true);
  });

  test("of the group's services restart all tasks that run", async () => {
    await closeServer();
    const CheckRestart = { Limit: 1, Grace: 0, IgnoreWarnings: false };
    const id = await rig.run([aTask("a", { RestartPolicy: restarts(3) }), aTask("b", { RestartPolicy: restarts(3) })], {
      type: "service",
      group: { Services: [aService("web", { Checks: [check({ CheckRestart })] })] },
    });
    await rig.clock.advance(5_000);
    await rig.until("both to restart", () => ["a", "b"].every((task) => rig.types(id, task).includes("Restarting")));
    await rig.clock.advance(1_000);
    expect([rig.driver.of("a").length, rig.driver.of("b").length, names()]).toEqual([2, 2, ["web"]]);
  });

  test("look at once at a task that an earlier agent has started", async () => {
    const id = await rig.run([aTask("t", { Services: [aService("web", { Checks: [check()] })] })], { type: "service" });
    await rig.replaceAgent();
    await looked(id, "success");
  });

  test("leave nothing waiting when the agent ends", async () => {
    const idle = rig.clock.sleeping;
    const id = await rig.run([aTask("t", { Services: [aService("web", { Checks: [check(), check({ Name: "more" })] })] })]);
    expect(rig.clock.sleeping).toBe(idle + 2);
    await rig.supervisor.stop();
    await settle();
    expect(rig.clock.sleeping).toBe(idle);
    expect(rig.store.alloc(id)?.ClientStatus).toBe("running");
  });
});

const aRegistration = (AllocID: string) => ({
  ID: `_nomad-task-${AllocID}-t-web-`,
  ServiceName: "web",
  Namespace: "default",
  NodeID: "n",
  Datacenter: "dc1",
  JobID: "j",
  AllocID,
  Tags: [],
  Meta: {},
  Address: "127.0.0.1",
  Port: 0,
});
