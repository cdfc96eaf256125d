import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { TaskSpec } from "../../drivers/driver.js";
import { newTaskState } from "../model/task-transitions.js";
import { SECOND } from "../model/units.js";
import { settle } from "./testing/fake-clock.js";
import { aGroup, aJob, anAlloc, aTask, poststop, prestart, restarts } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = new Rig();
  await rig.supervisor.start();
});
afterEach(() => rig.close());

describe("the end of the agent", () => {
  test("leaves the tasks running, and says nothing else of them", async () => {
    const id = await rig.run([aTask("t")]);
    const before = rig.alloc(id);
    await rig.supervisor.stop();
    await rig.exit("t", 5);
    expect(rig.alloc(id)).toBe(before);
    expect(rig.driver.last("t").stops).toEqual([]);
    expect(rig.clock.sleeping).toBe(0);
  });

  test("does not wait for ever for a driver that does not answer", async () => {
    rig.driver.onStart = () => new Promise(() => {});
    await rig.run([aTask("t")]);
    const stopped = rig.supervisor.stop();
    await rig.clock.advance(5_000);
    await expect(stopped).resolves.toBeUndefined();
  });
});

describe("the next agent", () => {
  test("finds a task that runs: no event, no restart", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) })]);
    const before = rig.alloc(id);
    await rig.replaceAgent();
    expect(rig.alloc(id)).toBe(before);
    expect(rig.driver.runs).toHaveLength(1);
    await rig.exit("t", 0);
    expect(rig.types(id, "t")).toEqual(["Received", "Task Setup", "Started", "Terminated"]);
    expect(rig.alloc(id).ClientStatus).toBe("complete");
  });

  test.each([
    ["stops it when it is not wanted any more", "stop", ["Killing", "Started", "Terminated", "Killed"]],
    ["has it run on when it is", "run", ["Started"]],
  ] as const)("finds a task whose start did not come on record, and %s", async (_what, DesiredStatus, types) => {
    await rig.supervisor.stop();
    const id = await rig.place(anAlloc(aJob(aGroup([aTask("t")])), {}));
    await rig.driver.start({ allocId: id, task: "t", runId: `${id}.t.1` } as TaskSpec);
    await rig.store.commit([
      { kind: "alloc-observed", id, patch: { TaskStates: { t: newTaskState } } },
      { kind: "task-handle", allocId: id, task: "t", handle: { run: 1, driver: null, hooksDone: ["task_dir", "validate"] } },
      { kind: "alloc-desired", id, patch: { DesiredStatus } },
    ]);
    await rig.replaceAgent();
    expect(rig.types(id, "t")).toEqual(types);
    expect(rig.driver.runs).toHaveLength(1);
    expect(rig.driver.last("t").isDestroyed).toBe(DesiredStatus === "stop");
  });

  test("removes what is left of the runs of an allocation that is gone", async () => {
    const id = await rig.run([aTask("t")]);
    await rig.supervisor.stop();
    rig.driver.last("t").exit(0);
    await rig.store.commit([{ kind: "alloc-delete", id }]);
    await rig.replaceAgent();
    expect(rig.driver.last("t").isDestroyed).toBe(true);
  });

  test("learns the true exit code of one that has ended meanwhile", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) })]);
    await rig.replaceAgent(() => rig.exit("t", 7));
    expect(rig.event(id, "t", "Terminated").ExitCode).toBe(7);
    await rig.clock.advance(1_000);
    expect(rig.types(id, "t").slice(-3)).toEqual(["Terminated", "Restarting", "Started"]);
    expect(rig.driver.last("t").runId).toBe(`${id}.t.2`);
  });

  test("says why one is lost, and the policy decides", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) })]);
    await rig.replaceAgent(() => rig.driver.forget(`${id}.t.1`));
    expect(rig.event(id, "t", "Terminated")).toMatchObject({
      ExitCode: -1,
      DisplayMessage: 'Exit Code: -1, Exit Message: "unknown: host restarted"',
    });
    await rig.clock.advance(1_000);
    expect(rig.task(id, "t")).toMatchObject({ State: "running", Restarts: 1 });
    expect(rig.driver.last("t").runId).toBe(`${id}.t.2`);
  });

  test("never runs a task again that had completed", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3) }), aTask("u")]);
    await rig.exit("t", 0);
    await rig.replaceAgent();
    await rig.clock.advance(60_000);
    expect(rig.task(id, "t")).toMatchObject({ State: "dead", Restarts: 0 });
    expect(rig.driver.of("t")).toHaveLength(1);
  });

  test("starts a run again that its predecessor was about to start, under the same id", async () => {
    let begin = (): void => {};
    rig.driver.onStart = () => new Promise((resolve) => (begin = resolve));
    const id = await rig.run([aTask("t")]);
    const replaced = rig.replaceAgent();
    await settle();
    begin();
    await replaced;
    expect(rig.driver.runs.map((run) => run.runId)).toEqual([`${id}.t.1`]);
    expect(rig.types(id, "t")).toEqual(["Received", "Task Setup", "Started"]);
    expect(rig.store.taskHandle(id, "t")).toMatchObject({ run: 1, driver: { runId: `${id}.t.1` } });
  });

  test("waits out what is left of the delay before a restart", async () => {
    const id = await rig.run([aTask("t", { RestartPolicy: restarts(3, { Delay: 10 * SECOND }) })]);
    await rig.exit("t", 1);
    await rig.replaceAgent(() => rig.clock.advance(4_000));
    await rig.clock.advance(5_999);
    expect(rig.driver.runs).toHaveLength(1);
    await rig.clock.advance(2);
    expect(rig.types(id, "t").slice(-3)).toEqual(["Terminated", "Restarting", "Started"]);
    expect(rig.driver.last("t").runId).toBe(`${id}.t.2`);
  });

  test("destroys what is left of a run whose end is on record", async () => {
    const id = await rig.run([aTask("t")]);
    const run = rig.driver.last("t");
    const destroy = run.destroy.bind(run);
    run.destroy = () => new Promise(() => {});
    await rig.exit("t", 0);
    expect(rig.store.taskHandle(id, "t")).toMatchObject({ run: 1, ended: true });
    const stopped = rig.replaceAgent(() => {
      run.destroy = destroy;
    });
    await rig.clock.advance(5_000);
    await stopped;
    expect(run.isDestroyed).toBe(true);
    expect(rig.types(id, "t").filter((type) => type === "Terminated")).toHaveLength(1);
    expect(rig.store.taskHandle(id, "t")).toMatchObject({ run: 2, driver: null });
  });

  test("asks a driver again that can not say, and takes nothing for dead meanwhile", async () => {
    const id = await rig.run([aTask("t")]);
    let asked = 0;
    rig.driver.onRecover = () => {
      if (++asked < 3) throw new Error("the shim does not answer");
    };
    const replaced = rig.replaceAgent();
    await settle();
    const signalled = rig.supervisor.signal(id, "SIGUSR1", "t");
    expect(rig.task(id, "t").State).toBe("running");
    await rig.clock.advance(2_000);
    await Promise.all([replaced, signalled]);
    expect(rig.driver.last("t").signals).toEqual(["SIGUSR1"]);
    expect(asked).toBe(3);
  });

  test("goes on with a stop that its predecessor had begun", async () => {
    const id = await rig.run([aTask("t"), aTask("end", poststop)]);
    rig.driver.last("t").obeys = false;
    await rig.stop(id);
    await rig.replaceAgent();
    expect(rig.driver.last("t").stops).toHaveLength(2);
    await rig.exit("t", 0);
    expect(rig.driver.of("end")).toHaveLength(1);
    await rig.exit("end", 0);
    expect(rig.alloc(id).ClientStatus).toBe("complete");
  });

  test("does not start main before its prestart is done", async () => {
    const id = await rig.run([aTask("init", prestart), aTask("main")]);
    await rig.replaceAgent();
    expect(rig.driver.of("main")).toEqual([]);
    await rig.exit("init", 0);
    expect(rig.task(id, "main").State).toBe("running");
  });

  test("has nothing to do for an allocation that is over", async () => {
    const id = await rig.run([aTask("t")]);
    await rig.exit("t", 1);
    const before = rig.alloc(id);
    await rig.replaceAgent();
    expect(rig.alloc(id)).toBe(before);
  });
});

describe("orders that make no sense", () => {
  test("of an allocation that nobody knows", async () => {
    const id = randomUUID();
    const unknown = { code: "alloc-not-found", status: 404, message: `Unknown allocation "${id}"` };
    await expect(rig.supervisor.restart(id, {})).rejects.toMatchObject(unknown);
    await expect(rig.supervisor.signal(id, "SIGUSR1")).rejects.toMatchObject(unknown);
    expect(() => rig.supervisor.execTarget(id, "t")).toThrow(unknown.message);
  });

  test.each(["SIGNOPE", "", "usr1x", "9", " SIGINT", undefined, 9])("the signal %p reaches nobody", async (signal) => {
    const id = await rig.run([aTask("t")]);
    await expect(rig.supervisor.signal(id, signal as string, "t")).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringMatching(/^Signal: got /),
    });
    expect(rig.driver.last("t").signals).toEqual([]);
    expect(rig.types(id, "t")).not.toContain("Signaling");
  });

  test("of a task that nobody knows", async () => {
    const id = await rig.run([aTask("t")]);
    for (const order of [() => rig.supervisor.restart(id, { taskName: "nope" }), () => rig.supervisor.signal(id, "HUP", "nope")]) {
      await expect(order()).rejects.toMatchObject({ status: 404, message: 'Task not found: "nope"' });
    }
    expect(() => rig.supervisor.execTarget(id, "nope")).toThrow('Task not found: "nope"');
    await rig.exit("t", 0);
    await expect(rig.supervisor.signal(id, "HUP", "nope")).rejects.toMatchObject({ status: 404 });
  });

  test("of a task that does not run", async () => {
    const id = await rig.run([aTask("init", prestart), aTask("t")]);
    expect(() => rig.supervisor.execTarget(id, "t")).toThrow('task "t" not started yet.');
    await expect(rig.supervisor.restart(id, { taskName: "t" })).rejects.toMatchObject({ status: 409, message: 'Task not running: "t"' });
    await rig.exit("init", 0);
    await expect(rig.supervisor.restart(id, { taskName: "init" })).rejects.toMatchObject({ code: "task-not-running" });
    expect(() => rig.supervisor.execTarget(id, "init")).toThrow('task "init" is not running.');
    await rig.stop(id);
    const text =
      "2 errors occurred:\n\t* Failed to signal task: init, err: Task not running\n\t* Failed to signal task: t, err: Task not running\n\n";
    await expect(rig.supervisor.signal(id, "SIGUSR1")).rejects.toMatchObject({ code: "task-not-running", message: text });
    await expect(rig.supervisor.restart(id, { taskName: "t" })).rejects.toMatchObject({ code: "task-not-running" });
    expect(() => rig.supervisor.execTarget(id, "t")).toThrow('task "t" is not running.');
  });

  test("of one task and of all", async () => {
    const id = await rig.run([aTask("t")]);
    await expect(rig.supervisor.restart(id, { taskName: "t", allTasks: true })).rejects.toMatchObject({ code: "invalid" });
  });
});

test("without a task a signal reaches those that run, and a finished prestart is no error", async () => {
  const id = await rig.run([aTask("init", prestart), aTask("x"), aTask("y")]);
  await rig.exit("init", 0);
  await rig.supervisor.signal(id, "usr1");
  for (const name of ["x", "y"]) {
    await settle();
    expect(rig.driver.last(name).signals).toEqual(["SIGUSR1"]);
    expect(rig.event(id, name, "Signaling")).toMatchObject({ DisplayMessage: "Task being sent a signal", Details: { signal: "usr1" } });
  }
  expect(rig.driver.last("init").signals).toEqual([]);
});

test("a command is started beside the run that is there now", async () => {
  const id = await rig.run([aTask("t")]);
  expect(rig.supervisor.execTarget(id, "t")).toBe(rig.driver.last("t"));
});

describe("directories", () => {
  const paths = (id: string): readonly string[] => [id, `${id}.json`].map((name) => join(rig.dataDir, "alloc", name));

  test("the allocation as it is wanted is kept beside its directory, for root alone", async () => {
    const id = await rig.run([aTask("t", { Env: { PASSWORD: "x" } })]);
    const file = join(rig.dataDir, "alloc", `${id}.json`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await rig.stop(id);
    const { alloc } = JSON.parse(readFileSync(file, "utf8"));
    expect(alloc).toMatchObject({ ID: id, DesiredStatus: "stop", Job: { ID: "j" } });
    expect(alloc).not.toHaveProperty("TaskStates");
  });

  test("go with the allocation", async () => {
    const id = await rig.run([aTask("t")]);
    await rig.exit("t", 0);
    expect(paths(id).every((path) => existsSync(path))).toBe(true);
    await rig.store.commit([{ kind: "alloc-delete", id }]);
    await rig.until("the directory to go", () => paths(id).every((path) => !existsSync(path)));
  });

  test("of one that still runs go after its tasks", async () => {
    const id = await rig.run([aTask("t")]);
    rig.driver.last("t").obeys = false;
    await rig.store.commit([{ kind: "alloc-delete", id }]);
    await settle();
    expect(existsSync(paths(id)[0] ?? "")).toBe(true);
    await rig.exit("t", 0);
    await rig.until("the directory to go", () => paths(id).every((path) => !existsSync(path)));
    expect(rig.driver.last("t").isDestroyed).toBe(true);
  });

  test("of a removed allocation go at the next start, those of an unknown one stay", async () => {
    const id = await rig.run([aTask("t")]);
    await rig.exit("t", 0);
    const unknown = randomUUID();
    await rig.replaceAgent(async () => {
      await rig.store.commit([{ kind: "alloc-delete", id }]);
      mkdirSync(join(rig.dataDir, "alloc", unknown));
    });
    expect(paths(id).some((path) => existsSync(path))).toBe(false);
    expect(existsSync(join(rig.dataDir, "alloc", unknown))).toBe(true);
  });
});

test("a hundred starts do not wait for each other", async () => {
  let begin = (): void => {};
  const gate = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let waiting = 0;
  rig.driver.onStart = () => {
    waiting++;
    return gate;
  };
  const ids = await Promise.all(Array.from({ length: 100 }, () => rig.run([aTask("t")])));
  await settle();
  expect(waiting).toBe(100);
  begin();
  await settle();
  expect(ids.map((id) => rig.alloc(id).ClientStatus)).toEqual(Array(100).fill("running"));
});
