import { Watch } from "./watch.js";

const keys = (...names: string[]): ReadonlySet<string> => new Set(names);
const silent = (): void => {};

/** A function that counts its calls. */
function counter(): { (): void; calls: number } {
  const count = Object.assign(() => void count.calls++, { calls: 0 });
  return count;
}

test("a waiter wakes once, for the first of its keys that changes", () => {
  const watch = new Watch(silent);
  const wake = counter();
  watch.once(["allocs", "alloc:a"], wake);
  watch.publish(keys("alloc:b"), [], 2);
  expect(wake.calls).toBe(0);
  watch.publish(keys("allocs", "alloc:a"), [], 3);
  watch.publish(keys("allocs", "alloc:a"), [], 4);
  expect(wake.calls).toBe(1);
});

test("nothing is kept of waiters that woke or gave up", () => {
  const watch = new Watch(silent);
  watch.once(["allocs", "alloc:a"], silent);
  const stop = watch.once(["alloc:b", "alloc:b"], silent);
  const unsubscribe = watch.subscribe(silent);
  expect(watch.size).toEqual({ keys: 3, listeners: 1 });
  watch.publish(keys("alloc:a"), [], 2);
  stop();
  stop();
  unsubscribe();
  expect(watch.size).toEqual({ keys: 0, listeners: 0 });
});

test("a waiter that waits again while it is woken waits for the next change", () => {
  const watch = new Watch(silent);
  let wakes = 0;
  const wake = (): void => {
    wakes++;
    watch.once(["allocs"], wake);
  };
  watch.once(["allocs"], wake);
  watch.publish(keys("allocs"), [], 2);
  expect(wakes).toBe(1);
  watch.publish(keys("allocs"), [], 3);
  expect(wakes).toBe(2);
});

test("what one waiter throws is told and keeps no other from waking", () => {
  const errors: unknown[] = [];
  const heard: number[] = [];
  const watch = new Watch((error) => errors.push(error));
  const wake = counter();
  watch.once(["allocs"], () => {
    throw new Error("first");
  });
  watch.once(["allocs"], wake);
  watch.subscribe((_, index) => heard.push(index));
  watch.publish(keys("allocs"), [], 2);
  expect([errors, wake.calls, heard]).toEqual([[new Error("first")], 1, [2]]);
});
