import fc from "fast-check";
import { Slots } from "./slots.js";

const never = new AbortController().signal;

test("never more at once than there are slots, and all of them come to their turn", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 30 }), async (count, works) => {
      const slots = new Slots(count);
      let now = 0;
      let most = 0;
      const work = async (): Promise<void> => {
        most = Math.max(most, ++now);
        await new Promise(setImmediate);
        now--;
      };
      await Promise.all(Array.from({ length: works }, () => slots.use(new AbortController().signal, work)));
      expect(most).toBe(Math.min(count, works));
    }),
    { numRuns: 30 },
  );
});

test("who is not wanted any more leaves the line, and the slot goes to the next", async () => {
  const slots = new Slots(1);
  let release = (): void => {};
  const first = slots.use(never, () => new Promise<void>((resolve) => (release = resolve)));
  const gone = new AbortController();
  const left = slots.use(gone.signal, async () => "done");
  const next = slots.use(never, async () => "next");
  gone.abort();
  expect(await left).toBeUndefined();
  release();
  await first;
  expect(await next).toBe("next");
  expect(await slots.use(gone.signal, async () => "late")).toBeUndefined();
});

test("work that fails gives its slot back", async () => {
  const slots = new Slots(1);
  await expect(slots.use(never, () => Promise.reject(new Error("boom")))).rejects.toThrow("boom");
  expect(await slots.use(never, async () => 1)).toBe(1);
});
