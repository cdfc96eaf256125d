import { DriverError } from "../../drivers/driver.js";
import { SECOND } from "../model/units.js";
import { settle } from "./testing/fake-clock.js";
import { aTask, restarts } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = new Rig();
  await rig.supervisor.start();
});
afterEach(() => rig.close());

describe("runs and restarts", () => {
  test("a batch task that succeeds is complete", async () => {
    const id = await rig.run([aTask("t")]);
    expect(rig.alloc(id)).toMatchObject({ ClientStatus: "running", ClientDescription: "Tasks are running" });
    await rig.exit("t", 0);
    expect(rig.types(id, "t")).toEqual(["Received", "Task Setup", "Started", "Terminated"]);
    expect(rig.task(id, "t")).toMatchObject({ State: "dead", Failed: false, Restarts: 0, FinishedAt: expect.any(BigInt) });
    expect(rig.alloc(id)).toMatchObject({ ClientStatus: "complete", ClientDescription: "All tasks have completed" });
    expect(rig.driver.last("t").isDestroyed).toBe(true);
  });

  test("a batch task that fails is restarted as the policy says, then it has failed", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(2) })]);
    for (let run = 1; run <= 3; run++) {
      expect(rig.driver.runs.map((r) => r.runId)).toContain(`${id}.t.${run}`);
      await rig.exit("t", 7);
      await rig.clock.advance(1_000);
    }
    const cycle = ["Started", "Terminated", "Restarting"];
    expect(rig.types(id, "t")).toEqual(["Task Setup", ...cycle, ...cycle, "Started", "Terminated", "Not Restarting"]);
    expect(rig.task(id, "t")).toMatchObject({ State: "dead", Failed: true, Restarts: 2, LastRestart: expect.any(BigInt) });
    expect(rig.event(id, "t", "Restarting")).toMatchObject({ DisplayMessage: "Task restarting in 1s", StartDelay: SECOND });
    expect(rig.event(id, "t", "Not Restarting").DisplayMessage).toBe('Exceeded allowed attempts 2 in interval 10m0s and mode is "fail"');
    expect(rig.alloc(id)).toMatchObject({ ClientStatus: "failed", ClientDescription: "Failed tasks" });
  });

  test("a read shows the latest 10 events, the history has all of them with their runs", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(8) })]);
    for (let run = 1; run <= 9; run++) {
      await rig.exit("t", 1);
      await rig.clock.advance(1_000);
    }
    expect(rig.types(id, "t")).toHaveLength(10);
    const rows = await rig.store.history({ allocId: id, task: "t", limit: 1_000 });
    expect(rows.map((row) => row.event.Type)).toEqual(
      [
        "Received",
        "Task Setup",
        ...Array(8).fill(["Started", "Terminated", "Restarting"]),
        "Started",
        "Terminated",
        "Not Restarting",
      ].flat(),
    );
    expect(rows.filter((row) => row.event.Type === "Started").map((row) => row.run)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("in mode delay the interval is waited out", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(1, { Mode: "delay", Interval: 60 * SECOND }) })]);
    await rig.exit("t", 1);
    await rig.clock.advance(1_000);
    await rig.exit("t", 1);
    expect(rig.task(id, "t").State).toBe("pending");
    expect(rig.task(id, "t").Events.at(-1)).toMatchObject({
      Type: "Restarting",
      RestartReason: "Exceeded allowed attempts, applying a delay",
    });
    await rig.clock.advance(58_000);
    expect(rig.driver.runs).toHaveLength(2);
    await rig.clock.advance(1_000);
    expect(rig.driver.runs).toHaveLength(3);
  });

  test("a service task that exits 0 is restarted", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(1) })], { type: "service" });
    await rig.exit("t", 0);
    await rig.clock.advance(1_000);
    expect(rig.task(id, "t")).toMatchObject({ State: "running", Restarts: 1 });
  });

  test("the next run waits until nothing is left of the one before", async () => {
    await rig.run([aTask("t", { RestartPolicy: restarts(1) })]);
    const [first] = rig.driver.runs;
    let release = (): void => {};
    const destroyed = new Promise<void>((resolve) => {
      release = resolve;
    });
    if (first) first.destroy = () => destroyed;
    await rig.exit("t", 1);
    await rig.clock.advance(5_000);
    expect(rig.driver.runs).toHaveLength(1);
    release();
    await settle();
    expect(rig.driver.runs).toHaveLength(2);
  });
});

describe("starts that fail", () => {
  test("a driver's error is a Driver Failure, never Started", async () => {
    rig.driver.onStart = () => {
      throw new DriverError('binary "nope" could not be found', false);
    };
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) })]);
    expect(rig.types(id, "t")).toEqual(["Received", "Task Setup", "Driver Failure", "Not Restarting"]);
    expect(rig.event(id, "t", "Driver Failure")).toMatchObject({
      DisplayMessage: 'binary "nope" could not be found',
      DriverError: 'binary "nope" could not be found',
    });
    expect(rig.event(id, "t", "Not Restarting").RestartReason).toBe("Error was unrecoverable");
    expect(rig.task(id, "t")).toMatchObject({ Failed: true, StartedAt: null });
  });

  test("a recoverable one is tried again as another run", async () => {
    rig.driver.onStart = ({ runId }) => {
      if (runId.endsWith(".1")) throw new DriverError("the engine is busy", true);
    };
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) })]);
    await rig.clock.advance(1_000);
    expect(rig.types(id, "t")).toEqual(["Received", "Task Setup", "Driver Failure", "Restarting", "Started"]);
    expect(rig.driver.last("t").runId).toBe(`${id}.t.2`);
  });

  test("a config that the driver refuses is Failed Validation", async () => {
    const id = await rig.run([aTask("t", { Config: { bad: 1 } })]);
    const text = '2 errors occurred:\n\t* failed to parse config: \n\t* Invalid label: No argument or block type is named "bad".\n\n';
    expect(rig.event(id, "t", "Failed Validation")).toMatchObject({
      ValidationError: text,
      DisplayMessage: text,
      Details: { validation_error: text },
    });
    expect(rig.types(id, "t").at(-1)).toBe("Not Restarting");
    expect(rig.driver.runs).toEqual([]);
  });

  test("so is one that refers to a variable that does not exist", async () => {
    const id = await rig.run([aTask("t", { Config: { args: ["${NOPE}"] } })]);
    expect(rig.event(id, "t", "Failed Validation").ValidationError).toContain('There is no variable named "NOPE"');
  });

  test("a driver that this node has not is a Driver Failure", async () => {
    const id = await rig.run([aTask("t", { Driver: "warp" })]);
    expect(rig.event(id, "t", "Driver Failure").DriverError).toBe('driver "warp" is not available on this node');
  });

  test("a defect fails its task and leaves the others alone", async () => {
    const broken = await rig.run([aTask("t", { RestartPolicy: null as never })]);
    const other = await rig.run([aTask("u")]);
    await rig.exit("t", 1);
    expect(rig.task(broken, "t")).toMatchObject({ State: "dead", Failed: true });
    expect(rig.event(broken, "t", "Not Restarting").RestartReason).toMatch(/^internal error: /);
    expect(rig.task(other, "u").State).toBe("running");
  });
});

describe("what the disk has to know first", () => {
  test("nothing is started before it is recorded that it will be", async () => {
    let write = (): void => {};
    rig.beforeWrite = () => new Promise((resolve) => (write = resolve));
    void rig.run([aTask("t")]);
    await settle();
    write();
    await settle();
    expect(rig.driver.runs).toHaveLength(0);
    rig.beforeWrite = async () => {};
    write();
    await settle();
    expect(rig.driver.runs).toHaveLength(1);
  });

  test("the remains of a run are kept until its end is recorded", async () => {
    await rig.run([aTask("t")]);
    let write = (): void => {};
    rig.beforeWrite = () => new Promise((resolve) => (write = resolve));
    await rig.exit("t", 3);
    expect(rig.driver.last("t").isDestroyed).toBe(false);
    rig.beforeWrite = async () => {};
    write();
    await settle();
    expect(rig.driver.last("t").isDestroyed).toBe(true);
  });
});

describe("kill", () => {
  test("the task's own signal and timeout are used, the latter up to the host's limit", async () => {
    const id = await rig.run([aTask("t", { KillSignal: "term", KillTimeout: 2 * SECOND }), aTask("u", { KillTimeout: 3_600 * SECOND })]);
    await rig.stop(id);
    expect(rig.driver.last("t").stops).toEqual([{ signal: "SIGTERM", timeoutMs: 2_000 }]);
    expect(rig.driver.last("u").stops).toEqual([{ signal: "", timeoutMs: 30_000 }]);
    expect(rig.types(id, "t").slice(-3)).toEqual(["Killing", "Terminated", "Killed"]);
    expect(rig.event(id, "t", "Killing")).toMatchObject({
      DisplayMessage: "Sent interrupt. Waiting 2s before force killing",
      KillTimeout: 2 * SECOND,
      Details: { kill_timeout: "2s" },
    });
    expect(rig.event(id, "u", "Killing").KillTimeout).toBe(30 * SECOND);
    expect(rig.alloc(id)).toMatchObject({ ClientStatus: "complete" });
    expect(rig.task(id, "t").Failed).toBe(false);
  });

  test("during the delay before a restart there is nothing to be killed", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) })]);
    await rig.exit("t", 1);
    await rig.stop(id);
    expect(rig.types(id, "t").slice(-3)).toEqual(["Terminated", "Restarting", "Killing"]);
    expect(rig.task(id, "t")).toMatchObject({ State: "dead", Failed: false });
    await rig.clock.advance(60_000);
    expect(rig.driver.runs).toHaveLength(1);
  });

  test("while the driver starts it: it is ended as soon as it has begun", async () => {
    let begin = (): void => {};
    rig.driver.onStart = () => new Promise((resolve) => (begin = resolve));
    const id = await rig.run([aTask("t")]);
    await rig.stop(id);
    expect(rig.task(id, "t").State).toBe("pending");
    begin();
    await settle();
    expect(rig.task(id, "t").State).toBe("dead");
    expect(rig.driver.last("t")).toMatchObject({ isOver: true, isDestroyed: true });
  });

  test("a driver that can not stop it is asked again, and the task's end says when it gave up", async () => {
    const id = await rig.run([aTask("t")]);
    const run = rig.driver.last("t");
    let asked = 0;
    run.stop = async () => {
      asked++;
      throw new DriverError("no answer", true);
    };
    await rig.stop(id);
    await rig.clock.advance(400_000);
    expect(asked).toBe(6);
    expect(rig.event(id, "t", "Killed")).toMatchObject({ KillError: "no answer", DisplayMessage: "no answer" });
    expect(rig.task(id, "t").State).toBe("dead");
  });
});

describe("shutdown delay", () => {
  const delayed = aTask("t", { ShutdownDelay: 8 * SECOND });

  test("holds the kill back", async () => {
    const id = await rig.run([delayed]);
    await rig.stop(id);
    expect(rig.task(id, "t").State).toBe("pending");
    expect(rig.event(id, "t", "Waiting for shutdown delay").DisplayMessage).toBe(
      "Waiting for shutdown_delay of 8s before killing the task.",
    );
    await rig.clock.advance(7_999);
    expect(rig.driver.last("t").stops).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.types(id, "t").slice(-4)).toEqual(["Killing", "Waiting for shutdown delay", "Terminated", "Killed"]);
  });

  test("is skipped when the stop says so", async () => {
    const id = await rig.run([delayed]);
    await rig.desire(id, { DesiredStatus: "stop", DesiredTransition: { ...rig.alloc(id).DesiredTransition, NoShutdownDelay: true } });
    expect(rig.types(id, "t").slice(-4)).toEqual(["Killing", "Skipping shutdown delay", "Terminated", "Killed"]);
  });

  test("is cut short by a later stop that says so", async () => {
    const id = await rig.run([delayed]);
    await rig.stop(id);
    await rig.clock.advance(1_000);
    await rig.desire(id, { DesiredTransition: { ...rig.alloc(id).DesiredTransition, NoShutdownDelay: true } });
    expect(rig.task(id, "t").State).toBe("dead");
  });

  test("a task that ends by itself in it was killed all the same, and has not failed", async () => {
    const id = await rig.run([delayed]);
    await rig.stop(id);
    await rig.exit("t", 9);
    expect(rig.types(id, "t").slice(-2)).toEqual(["Terminated", "Killed"]);
    expect(rig.alloc(id).ClientStatus).toBe("complete");
    expect(rig.clock.sleeping).toBe(0);
  });

  test("does not hold up a restart", async () => {
    const id = await rig.run([delayed]);
    await rig.supervisor.restart(id, { taskName: "t" });
    await settle();
    expect(rig.driver.runs).toHaveLength(2);
  });
});

describe("user restarts", () => {
  test("are not counted against the policy, not even one of no attempts", async () => {
    const id = await rig.run([aTask("t")]);
    for (let n = 1; n <= 3; n++) {
      await rig.supervisor.restart(id, { taskName: "t" });
      await settle();
      expect(rig.task(id, "t")).toMatchObject({ State: "running", Restarts: n, Failed: false });
    }
    expect(rig.types(id, "t").slice(-5)).toEqual(["Started", "Restart Signaled", "Terminated", "Restarting", "Started"]);
    expect(rig.event(id, "t", "Restart Signaled").DisplayMessage).toBe("User requested task to restart");
    expect(rig.event(id, "t", "Restarting")).toMatchObject({
      DisplayMessage: "Task restarting in 0s",
      Details: { start_delay: "0", restart_reason: "" },
    });
  });

  test("resolve when the old process has ended, and a second one joins the first", async () => {
    const id = await rig.run([aTask("t")]);
    rig.driver.last("t").obeys = false;
    let done = 0;
    const restarted = [1, 2].map(() => rig.supervisor.restart(id, { taskName: "t" }).then(() => done++));
    await settle();
    expect(done).toBe(0);
    await rig.exit("t", 0);
    await Promise.all(restarted);
    expect(rig.task(id, "t").Restarts).toBe(1);
    expect(rig.driver.runs).toHaveLength(2);
  });

  test("a kill that comes in between wins", async () => {
    const id = await rig.run([aTask("t")]);
    rig.driver.last("t").obeys = false;
    const restarted = rig.supervisor.restart(id, { taskName: "t" });
    await settle();
    await rig.stop(id);
    await rig.exit("t", 0);
    await restarted;
    expect(rig.task(id, "t").State).toBe("dead");
    expect(rig.driver.runs).toHaveLength(1);
  });
});
