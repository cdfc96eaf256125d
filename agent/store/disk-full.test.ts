import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AllocdError } from "../errors.js";
import { FailingStore } from "./failing-store.js";
import type { StateStore } from "./state-store.js";
import { aTaskEvent, aTaskState, creation, transition } from "./testing/samples.js";
import { StepClock } from "./testing/step-clock.js";
import { silent, TemporaryStores } from "./testing/temporary-store.js";

/** A store on a disk that a test can fill. */
interface FillableDisk {
  readonly store: StateStore;
  fill(): void;
  free(): void;
  /** The state as the next start finds it. */
  reopened(): Promise<StateStore>;
  remove(): Promise<void>;
}

/** A file system of 4 MiB. Undefined where we may not mount one. */
async function tmpfs(clock: StepClock): Promise<FillableDisk | undefined> {
  const stores = new TemporaryStores();
  const mount = stores.newDir();
  mkdirSync(mount);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", mount]).status !== 0) {
    await stores.remove();
    return undefined;
  }
  const dir = join(mount, "state");
  const ballast = join(mount, "ballast");
  const store = await stores.open(dir, { clock });
  return {
    store,
    fill() {
      const { bavail, bsize } = statfsSync(mount);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    },
    free: () => rmSync(ballast, { force: true }),
    async reopened() {
      await stores.close(store);
      return stores.open(dir);
    },
    async remove() {
      await stores.close(store).catch(() => {});
      for (const open of stores.opened()) await stores.close(open);
      spawnSync("umount", [mount]);
      await stores.remove();
    },
  };
}

/** The same without a file system: the store that fails when it is told to. */
function told(clock: StepClock): FillableDisk {
  const store = new FailingStore({ clock, log: silent });
  return { store, fill: () => store.failWrites(), free: () => store.heal(), reopened: async () => store, remove: () => store.close() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const large = "x".repeat(20_000);

test("a full disk refuses what may be refused, keeps the rest in order and loses nothing", async () => {
  const clock = new StepClock();
  const disk = (await tmpfs(clock)) ?? told(clock);
  try {
    const { store } = disk;
    await store.commit([creation("a")]);
    disk.fill();
    const states = Array.from({ length: 20 }, (_, Restarts) =>
      aTaskState({ Restarts, Events: [aTaskEvent(`${Restarts}`, { Message: large })] }),
    );
    const waiting = Promise.all(states.map((state) => store.commit([transition("a", "main", state)])));
    while (store.degraded === null) await turn();
    expect(store.degraded).toContain("full");
    await expect(store.commit([creation("b")], { refusable: true })).rejects.toBeInstanceOf(AllocdError);
    expect(store.alloc("a")?.TaskStates ?? null).toBeNull();

    disk.free();
    while (store.degraded !== null) {
      clock.wake();
      await turn();
    }
    const indexes = await waiting;
    expect(indexes).toEqual([...indexes].sort((x, y) => x - y));
    await store.commit([creation("b")], { refusable: true });
    const again = await disk.reopened();
    expect(again.allocs().map(({ ID }) => ID)).toEqual(["a", "b"]);
    expect(again.alloc("a")?.TaskStates?.main?.Restarts).toBe(19);
    expect((await again.history({ allocId: "a", limit: 50 })).map(({ event }) => event.Type)).toEqual(states.map((_, place) => `${place}`));
  } finally {
    await disk.remove();
  }
}, 30_000);

test("a store on a full disk can be closed, and says which commits were lost", async () => {
  const clock = new StepClock();
  const disk = (await tmpfs(clock)) ?? told(clock);
  try {
    await disk.store.commit([creation("a")]);
    disk.fill();
    const event = aTaskEvent("large", { Message: large.repeat(20) });
    const lost = expect(disk.store.commit([transition("a", "main", aTaskState({ Events: [event] }))])).rejects.toMatchObject({
      code: "degraded",
    });
    await disk.store.close();
    await lost;
  } finally {
    await disk.remove();
  }
}, 30_000);
