import { DiskError } from "../store/errors.js";
import { settle } from "./testing/fake-clock.js";
import { aTask, restarts } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;

beforeEach(async () => {
  rig = new Rig();
  await rig.supervisor.start();
});

afterEach(() => rig.close());

const refused = new Error("CHECK constraint failed");

/** The store's next writes fail, so many. */
function failing(count: number, error: Error): void {
  let left = count;
  rig.beforeWrite = async () => {
    if (left-- > 0) throw error;
  };
}

test("a report that the store refuses once does not leave its task pending", async () => {
  let writes = 0;
  rig.beforeWrite = async () => {
    // The allocation itself is taken; the first that is said of it is not.
    if (++writes === 2) throw refused;
  };
  const id = await rig.run([aTask("main")]);
  expect(rig.driver.runs).toHaveLength(0);
  await rig.clock.advance(200);
  expect([rig.alloc(id).ClientStatus, rig.types(id, "main")]).toEqual(["running", ["Received", "Task Setup", "Started"]]);
  await rig.exit("main", 0);
  expect(rig.alloc(id).ClientStatus).toBe("complete");
});

test("a store that takes no report at all fails the task by its policy, and says why once it can", async () => {
  const id = await rig.run([aTask("main", { RestartPolicy: restarts(2) })]);
  failing(1_000, refused);
  await rig.exit("main", 1);
  await rig.clock.advance(600_000);
  rig.beforeWrite = async () => {};
  await rig.clock.advance(600_000);
  await rig.until("the task to be dead", () => rig.task(id, "main").State === "dead");
  expect(rig.alloc(id).ClientStatus).toBe("failed");
  expect(
    rig
      .task(id, "main")
      .Events.map((event) => event.DisplayMessage)
      .join("\n"),
  ).toContain("the task's state can not be stored");
});

test("on a full disk nothing is started that would not be known afterwards, and what runs goes on", async () => {
  const running = await rig.run([aTask("a")]);
  const full = new DiskError("database or disk is full");
  const waiting = await rig.run([aTask("b", { RestartPolicy: restarts(2) })]);
  failing(Number.POSITIVE_INFINITY, full);
  await rig.exit("b", 1);
  await rig.clock.advance(30_000);
  expect([rig.store.degraded, rig.driver.of("b").length, rig.driver.last("a").stops]).toEqual(["database or disk is full", 1, []]);
  rig.beforeWrite = async () => {};
  await rig.clock.advance(30_000);
  await settle();
  expect(rig.store.degraded).toBeNull();
  expect([rig.alloc(running).ClientStatus, rig.alloc(waiting).ClientStatus]).toEqual(["running", "running"]);
  expect([rig.driver.of("b").length, rig.task(waiting, "b").Restarts]).toEqual([2, 1]);
});
