import fc from "fast-check";
import { byCreateIndex, byId, byNamespaceAndId } from "./order.js";
import { pageOf } from "./page.js";

const items = fc.uniqueArray(fc.record({ ID: fc.uuid(), CreateIndex: fc.nat(20) }), { selector: (item) => item.ID });

test("pages walk a list once, in its order or backwards", () => {
  fc.assert(
    fc.property(
      items,
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      fc.constantFrom(byCreateIndex, byId),
      (unsorted, perPage, reverse, order) => {
        const all = [...unsorted].sort(order.compare);
        const keep = (item: { CreateIndex: number }): boolean => item.CreateIndex % 3 !== 0;
        const seen: string[] = [];
        let nextToken: string | undefined;
        do {
          const page = pageOf(all, order, { perPage, nextToken, reverse, keep });
          expect(page.items.length).toBeLessThanOrEqual(perPage);
          seen.push(...page.items.map((item) => item.ID));
          nextToken = page.nextToken;
        } while (nextToken !== undefined);
        const whole = all.filter(keep).map((item) => item.ID);
        expect(seen).toEqual(reverse ? whole.reverse() : whole);
      },
    ),
  );
});

test("a page begins at its token even when the item is gone", () => {
  const all = [1, 2, 4].map((n) => ({ ID: `id-${n}`, CreateIndex: n }));
  expect(
    pageOf(all, byCreateIndex, { perPage: 0, nextToken: "3.id-3", reverse: false, keep: () => true }).items.map((i) => i.CreateIndex),
  ).toEqual([4]);
});

test("no page size is one page with everything and no token", () => {
  const all = [{ ID: "a" }, { ID: "b" }];
  expect(pageOf(all, byId, { perPage: 0, nextToken: undefined, reverse: false, keep: () => true })).toEqual({
    items: all,
    nextToken: undefined,
  });
});

test("a token of jobs names its place whatever is in the id, and fits into a header", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (ID) => {
      const job = { Namespace: "default", ID };
      const token = byNamespaceAndId.token(job);
      expect(token).toMatch(/^[!-~]+$/);
      expect(byNamespaceAndId.place(token)(job)).toBe(0);
    }),
  );
});

test.each(["banana", "1", ".id", "x.id", "99999999999999999999.id"])("the token %s is refused by name", (token) => {
  expect(() => byCreateIndex.place(token)).toThrow(/next_token: got/);
});
