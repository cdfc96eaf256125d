import pino from "pino";
import { AllocdError } from "../errors.js";
import { CommitQueue, type StagedCommit } from "./commit-queue.js";
import { DiskError, StoreClosedError } from "./errors.js";
import { FailingStore } from "./failing-store.js";
import { DEFAULT_STORE_LIMITS } from "./limits.js";
import { MemoryStore } from "./memory-store.js";
import type { Change } from "./state-store.js";
import { Tables } from "./tables.js";
import { aJob, aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { StepClock } from "./testing/step-clock.js";
import { silent } from "./testing/temporary-store.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const full = new AllocdError("degraded", "the state can not be written: database or disk is full");

describe("a disk that refuses writes", () => {
  let clock: StepClock;
  let store: FailingStore;

  beforeEach(() => {
    clock = new StepClock();
    store = new FailingStore({ clock, log: silent, limits: { maxQueued: 3 } });
  });

  afterEach(() => {
    store.heal();
    return store.close();
  });

  test("what may be refused is, the rest waits and is visible in order once the disk takes writes", async () => {
    store.failWrites();
    const order: string[] = [];
    const kept = store.commit([creation("a")]).then(() => order.push("a"));
    await expect(store.commit([creation("b")], { refusable: true })).rejects.toEqual(full);
    const later = store.commit([{ kind: "alloc-observed", id: "a", patch: { ClientStatus: "running" } }]).then(() => order.push("later"));
    expect([store.degraded, store.allocs()]).toEqual(["database or disk is full", []]);
    store.heal();
    clock.wake();
    await Promise.all([kept, later]);
    expect(order).toEqual(["a", "later"]);
    expect([store.degraded, store.alloc("a")?.ClientStatus, store.alloc("b")]).toEqual([null, "running", undefined]);
  });

  test("a commit that stands on a refused one comes to nothing", async () => {
    store.failWrites();
    const refused = expect(store.commit([creation("a")], { refusable: true })).rejects.toEqual(full);
    const report = store.commit([{ kind: "alloc-observed", id: "a", patch: { ClientStatus: "running" } }]);
    await refused;
    store.heal();
    clock.wake();
    await report;
    expect(store.allocs()).toEqual([]);
  });

  test("a refused creation may be tried again", async () => {
    store.failWrites();
    await expect(store.commit([creation("a")], { refusable: true })).rejects.toEqual(full);
    store.heal();
    clock.wake();
    await turn();
    await store.commit([creation("a")], { refusable: true });
    expect(store.alloc("a")?.ClientStatus).toBe("pending");
  });

  test("while nothing waits the disk is tried now and then, ever more rarely", async () => {
    store.failWrites();
    await expect(store.commit([creation("a")], { refusable: true })).rejects.toEqual(full);
    for (let tries = 0; tries < 8; tries++) {
      clock.wake();
      await turn();
    }
    // The write itself has a deadline of ten seconds each time.
    expect(clock.sleeps.filter((ms) => ms !== 10_000)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    store.heal();
    clock.wake();
    await turn();
    expect([store.degraded, clock.sleeping]).toEqual([null, 0]);
  });

  test("close does not wait for the disk, and says which commits were lost", async () => {
    store.failWrites();
    const lost = expect(store.commit([creation("a")])).rejects.toEqual(full);
    await turn();
    await store.close();
    await lost;
    expect(clock.sleeping).toBe(0);
  });

  test("beyond the limit on what waits, refusable commits are refused and others wait", async () => {
    const release = store.stall();
    const waiting = [creation("a"), creation("b"), creation("c")].map((change) => store.commit([change]));
    await expect(store.commit([creation("d")], { refusable: true })).rejects.toEqual(
      new AllocdError("degraded", "3 changes wait for the disk and 3 may: try again later"),
    );
    waiting.push(store.commit([creation("e")]));
    release();
    await Promise.all(waiting);
    await store.commit([creation("d")], { refusable: true });
    expect(store.allocs().map(({ ID }) => ID)).toEqual(["a", "b", "c", "e", "d"]);
  });
});

describe("a disk that takes nothing for long", () => {
  const started = (place: number): Change =>
    transition("a", "main", aTaskState({ Restarts: place, Events: [aTaskEvent(`${place}`)] }), place);

  test("what waits does not grow without end: the latest state is kept, everybody is answered and the log says so", async () => {
    const clock = new StepClock();
    const lines: unknown[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const store = new FailingStore({ clock, log, limits: { maxWaiting: 50 } });
    await store.commit([creation("a")]);
    store.failWrites();
    const answers = Array.from({ length: 1_000 }, (_, place) => store.commit([started(place)]));
    await turn();
    answers.push(...Array.from({ length: 1_000 }, (_, place) => store.commit([started(1_000 + place)])));
    store.heal();
    clock.wake();
    const indexes = await Promise.all(answers);
    expect(indexes).toEqual([...indexes].sort((x, y) => x - y));
    expect(store.alloc("a")?.TaskStates?.main?.Restarts).toBe(1_999);
    const history = (await store.history({ limit: 5_000 })).map(({ event }) => Number(event.Type));
    expect(history.at(-1)).toBe(1_999);
    expect(history).toEqual([...history].sort((x, y) => x - y));
    const dropped = lines.map((line) => (line as { droppedEvents?: number }).droppedEvents ?? 0).reduce((sum, count) => sum + count, 0);
    expect(history.length + dropped).toBe(2_000);
    expect(dropped).toBeGreaterThan(900);
    await store.close();
  });

  test("one that does not answer is told after ten seconds, refuses new work, and all goes on when it does", async () => {
    const clock = new StepClock();
    const store = new FailingStore({ clock, log: silent });
    await store.commit([creation("a")]);
    const release = store.stall();
    const onTheWay = store.commit([started(1)]);
    await turn();
    const waiting = expect(store.commit([creation("b")], { refusable: true })).rejects.toMatchObject({ status: 507 });
    const report = store.commit([started(2)]);
    expect(store.degraded).toBeNull();
    clock.wake();
    await turn();
    await waiting;
    expect(store.degraded).toBe("the disk has not answered for 10 s");
    await expect(store.commit([creation("c")], { refusable: true })).rejects.toMatchObject({ status: 507 });
    release();
    await Promise.all([onTheWay, report]);
    expect([store.degraded, store.alloc("a")?.TaskStates?.main?.Restarts, store.allocs().length]).toEqual([null, 2, 1]);
    await store.close();
    expect(clock.sleeping).toBe(0);
  });
});

test("where tasks' files can not be written, new work is refused and everything else is taken", async () => {
  const clock = new StepClock();
  let fault: string | null = null;
  const store = new MemoryStore({ clock, log: silent, hostFault: () => fault });
  await store.commit([creation("a"), { kind: "job", job: aJob(), spec: true }], { refusable: true });
  fault = "/data/alloc: ENOSPC: no space left on device";
  const refused = { status: 507, message: `no new work is taken: ${fault}` };
  await expect(store.commit([creation("b")], { refusable: true })).rejects.toMatchObject(refused);
  await expect(store.commit([{ kind: "job", job: aJob({ Version: 1 }), spec: true }], { refusable: true })).rejects.toMatchObject(refused);
  await store.commit([{ kind: "job", job: aJob({ Stop: true }), spec: true }], { refusable: true });
  await store.commit([{ kind: "alloc-desired", id: "a", patch: { DesiredStatus: "stop" } }], { refusable: true });
  await store.commit([{ kind: "alloc-delete", id: "a" }], { refusable: true });
  fault = null;
  await store.commit([creation("b")], { refusable: true });
  await store.close();
  await expect(store.commit([creation("c")])).rejects.toBeInstanceOf(StoreClosedError);
});

describe("group commit", () => {
  const queueWith = (write: (batch: readonly StagedCommit[]) => Promise<void>): CommitQueue =>
    new CommitQueue({
      tables: new Tables(),
      write,
      published: () => {},
      clock: new StepClock(),
      log: silent,
      limits: DEFAULT_STORE_LIMITS,
    });

  test("commits of one turn share a transaction, those that come meanwhile the next", async () => {
    const batches: (readonly number[])[] = [];
    let release = (): void => {};
    const queue = queueWith((batch) => {
      batches.push(batch.map(({ index }) => index));
      return new Promise((resolve) => {
        release = resolve;
      });
    });
    const all = ["a", "b"].map((id) => queue.commit([creation(id)], {}));
    await turn();
    all.push(...["c", "d", "e"].map((id) => queue.commit([creation(id)], {})));
    release();
    await turn();
    release();
    expect(await Promise.all(all)).toEqual([2, 3, 4, 5, 6]);
    expect(batches).toEqual([
      [2, 3],
      [4, 5, 6],
    ]);
  });

  test("two thousand commits at once are few transactions", async () => {
    const sizes: number[] = [];
    const queue = queueWith(async (batch) => void sizes.push(batch.length));
    await Promise.all(Array.from({ length: 2_000 }, (_, place) => queue.commit([creation(`${place}`)], {})));
    expect(sizes.length).toBeLessThanOrEqual(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_000);
  });

  test("one commit that can not be written takes no other with it", async () => {
    const queue = queueWith(async (batch) => {
      if (batch.some(({ effects }) => effects.some((effect) => effect.kind === "alloc" && effect.alloc.ID === "bad")))
        throw new Error("no");
    });
    const outcomes = await Promise.allSettled(["a", "bad", "c"].map((id) => queue.commit([creation(id)], {})));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(queue.degraded).toBeNull();
    await queue.commit([creation("d")], {});
  });

  test("when the writer is gone for good, all commits are rejected, those on the way too", async () => {
    let fail = (_: Error): void => {};
    const queue = queueWith(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    const first = expect(queue.commit([creation("a")], {})).rejects.toThrow("gone");
    await turn();
    const second = expect(queue.commit([creation("b")], {})).rejects.toThrow("gone");
    const gone = new Error("gone");
    queue.fail(gone);
    fail(gone);
    await Promise.all([first, second]);
    expect(queue.degraded).toBe("gone");
    await queue.close();
  });

  test("a disk error is told with its reason as long as it lasts", async () => {
    let failure: DiskError | undefined = new DiskError("disk I/O error");
    const clock = new StepClock();
    const write = async (): Promise<void> => {
      if (failure) throw failure;
    };
    const queue = new CommitQueue({ tables: new Tables(), write, published: () => {}, clock, log: silent, limits: DEFAULT_STORE_LIMITS });
    const waiting = queue.commit([creation("a")], {});
    await turn();
    expect(queue.degraded).toBe("disk I/O error");
    failure = undefined;
    clock.wake();
    await waiting;
    expect(queue.degraded).toBeNull();
  });
});
