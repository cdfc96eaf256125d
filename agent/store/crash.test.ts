import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { TemporaryStores } from "./testing/temporary-store.js";

let stores: TemporaryStores;
let child: ChildProcess | undefined;

beforeAll(() => {
  stores = new TemporaryStores();
});

afterAll(async () => {
  child?.kill("SIGKILL");
  await stores.remove();
});

test("kill -9 in the middle of commits loses none that was acknowledged, and frees the directory", async () => {
  const dir = stores.newDir();
  const loop = fileURLToPath(stores.compiled.url("agent/store/testing/commit-loop.ts"));
  for (const enough of [1, 40, 150]) {
    child = spawn(process.execPath, [loop, dir], { stdio: ["ignore", "pipe", "inherit"] });
    const acknowledged = new Map<string, number>();
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const [id, index] = line.split(" ");
      acknowledged.set(id ?? "", Number(index));
      if (acknowledged.size === 1)
        await expect(stores.open(dir)).rejects.toMatchObject({ reason: "locked", message: expect.stringContaining(`(pid ${child.pid})`) });
      // What was written before the kill and read after it counts as well.
      if (acknowledged.size === enough) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");

    const store = await stores.open(dir);
    for (const [id, index] of acknowledged)
      expect(store.alloc(id)).toMatchObject({ CreateIndex: index, TaskStates: { main: { State: "running" } } });
    for (const alloc of store.allocs()) expect(alloc.TaskStates?.main?.Events).toHaveLength(1);
    expect(store.index).toBeGreaterThanOrEqual(Math.max(...acknowledged.values()));
    await stores.close(store);
  }
}, 60_000);
