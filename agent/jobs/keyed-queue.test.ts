import { KeyedQueue } from "./keyed-queue.js";

test("the same key is served in order, others do not wait for it", async () => {
  const queue = new KeyedQueue();
  const log: string[] = [];
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const first = queue.run("a", async () => {
    await gate;
    log.push("a1");
  });
  const second = queue.run("a", async () => log.push("a2"));
  await queue.run("b", async () => log.push("b"));
  expect(log).toEqual(["b"]);
  open();
  await Promise.all([first, second]);
  expect(log).toEqual(["b", "a1", "a2"]);
});

test("a failure is its caller's and does not stop those behind it", async () => {
  const queue = new KeyedQueue();
  const failed = queue.run("a", async () => {
    throw new Error("no");
  });
  const next = queue.run("a", async () => "yes");
  await expect(failed).rejects.toThrow("no");
  await expect(next).resolves.toBe("yes");
  await expect(queue.idle()).resolves.toBeUndefined();
});
