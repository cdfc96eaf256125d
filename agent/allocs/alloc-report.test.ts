import pino from "pino";
import type { TaskState } from "../model/task-state.js";
import { newTaskState } from "../model/task-transitions.js";
import { FailingStore } from "../store/failing-store.js";
import { aTaskEvent, aTaskState, creation } from "../store/testing/samples.js";
import { AllocReport } from "./alloc-report.js";
import { FakeClock, settle } from "./testing/fake-clock.js";

const silent = pino({ level: "silent" });

async function setup() {
  const clock = new FakeClock();
  const store = new FailingStore({ clock, log: silent });
  await store.commit([creation("a")]);
  const report = new AllocReport({
    store,
    allocId: "a",
    clock,
    log: silent,
    summary: () => ({ ClientStatus: "running", ClientDescription: "" }),
  });
  const say = (Type: string, more: Partial<TaskState> = {}): void =>
    report.task("t", aTaskState({ Events: [aTaskEvent(Type)], ...more }), [{ task: "t", run: 1, event: aTaskEvent(Type) }]);
  const types = async (): Promise<readonly string[]> => (await store.history({ limit: 99 })).map(({ event }) => event.Type);
  return { clock, store, report, say, types };
}

test("a report that was refused once although the disk is well is made again, with what was said since", async () => {
  const { clock, store, report, say, types } = await setup();
  store.failNext(new Error("constraint failed"));
  say("Received", { Restarts: 1 });
  report.handle("t", { run: 7, driver: null, hooksDone: [] });
  const first = report.durable();
  await settle();
  say("Started", { Restarts: 2 });
  expect(await report.durable()).toBe("stored");
  await clock.advance(100);
  expect(await first).toBe("stored");
  expect(store.alloc("a")?.TaskStates?.t?.Restarts).toBe(2);
  expect(store.taskHandle("a", "t")?.run).toBe(7);
  expect((await types()).toSorted()).toEqual(["Received", "Started"]);
});

test("an event that can not be stored is left out, and the state is not lost with it", async () => {
  const { clock, store, report, say, types } = await setup();
  const no = new Error("constraint failed");
  store.failNext(no, no);
  say("Received", { Restarts: 3 });
  const stored = report.durable();
  await settle();
  await clock.advance(10_000);
  expect(await stored).toBe("stored");
  expect(store.alloc("a")?.TaskStates?.t?.Restarts).toBe(3);
  expect(await types()).toEqual([]);
});

test("one that is refused again and again is given up, and whoever waits is told; the next one is tried anew", async () => {
  const { clock, store, report, say } = await setup();
  const no = new Error("constraint failed");
  store.failNext(no, no, no, no);
  say("Received");
  const stored = report.durable();
  await settle();
  await clock.advance(60_000);
  expect(await stored).toBe("failed");
  say("Started", { Restarts: 4 });
  expect(await report.durable()).toBe("stored");
  expect(store.alloc("a")?.TaskStates?.t?.Restarts).toBe(4);
});

test("at the agent's end nothing is waited for", async () => {
  const { clock, store, report, say } = await setup();
  store.failNext(new Error("constraint failed"), new Error("constraint failed"));
  say("Received");
  const stored = report.durable();
  await settle();
  report.close();
  await settle();
  expect(await stored).toBe("failed");
  expect(clock.sleeping).toBe(0);
  await store.close();
  const closed = new AllocReport({
    store,
    allocId: "a",
    clock,
    log: silent,
    summary: () => ({ ClientStatus: "running", ClientDescription: "" }),
  });
  closed.task("t", newTaskState, []);
  expect(await closed.durable()).toBe("gone");
});
