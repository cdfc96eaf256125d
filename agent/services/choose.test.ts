import fc from "fast-check";
import { choose } from "./choose.js";

const instances = fc.uniqueArray(fc.string(), { maxLength: 12 }).map((ids) => ids.map((ID) => ({ ID })));

test("the same instances are chosen for a key, in whatever order they are listed", () => {
  fc.assert(
    fc.property(instances, fc.nat(5), fc.string(), (all, count, key) => {
      const chosen = choose(all, count, key);
      expect(chosen).toHaveLength(Math.min(count, all.length));
      expect(choose([...all].reverse(), count, key)).toEqual(chosen);
    }),
  );
});

test("an instance that goes moves only those who were on it", () => {
  fc.assert(
    fc.property(instances, fc.string(), (all, key) => {
      const [first] = choose(all, 1, key);
      for (const gone of all) {
        const [now] = choose(
          all.filter((one) => one !== gone),
          1,
          key,
        );
        if (gone !== first) expect(now).toBe(first);
      }
    }),
  );
});
