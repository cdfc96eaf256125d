import fc from "fast-check";
import { byCreation, GroupedMap, OrderedMap } from "./ordered-map.js";

interface Item {
  readonly ID: string;
  readonly CreateIndex: number;
  readonly group: string;
}

const item = (ID: string, CreateIndex: number, group = "g"): Item => ({ ID, CreateIndex, group });

test("objects created under one index are listed by ID, whatever the order they came in", () => {
  const map = new OrderedMap<Item>();
  for (const id of ["c", "a", "b"]) map.set(id, item(id, 5));
  map.set("0", item("0", 6));
  expect(map.list().map(({ ID }) => ID)).toEqual(["a", "b", "c", "0"]);
});

test("a list that was handed out stays as it is, and is the same one until the next change", () => {
  const map = new OrderedMap<Item>();
  map.set("a", item("a", 1));
  const before = map.list();
  expect(map.list()).toBe(before);
  map.set("b", item("b", 2));
  expect(before).toHaveLength(1);
  map.delete("a");
  expect(map.list().map(({ ID }) => ID)).toEqual(["b"]);
});

test("a group that lost its last member is not kept", () => {
  const map = new GroupedMap<Item, "group">(({ ID }) => ID, { group: ({ group }) => group });
  map.set(item("a", 1, "one"));
  map.set(item("a", 1, "two"));
  expect(map.listOf("group", "one")).toEqual([]);
  expect(map.listOf("group", "two")).toEqual([item("a", 1, "two")]);
  map.delete("a");
  expect(map.listOf("group", "two")).toEqual([]);
  expect(map.size).toBe(0);
});

test("lists are those of a sorted model after any puts and deletes", () => {
  const id = fc.constantFrom("a", "b", "c", "d");
  const group = fc.constantFrom("x", "y");
  const step = fc.record({ id, group, drop: fc.boolean(), sameIndex: fc.boolean(), look: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new GroupedMap<Item, "group">(({ ID }) => ID, { group: (of) => of.group });
      const model = new Map<string, Item>();
      let index = 1;
      for (const { id, group, drop, sameIndex, look } of steps) {
        if (!sameIndex) index++;
        const put = item(id, model.get(id)?.CreateIndex ?? index, group);
        if (drop) map.delete(id);
        else map.set(put);
        if (drop) model.delete(id);
        else model.set(id, put);
        if (look) map.list();
      }
      const sorted = [...model.values()].sort(byCreation);
      expect(map.list()).toEqual(sorted);
      for (const name of ["x", "y"]) expect(map.listOf("group", name)).toEqual(sorted.filter((of) => of.group === name));
    }),
  );
});
