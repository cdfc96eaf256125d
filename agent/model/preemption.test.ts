import fc from "fast-check";
import { aJob, anAlloc } from "../jobs/testing/fixtures.js";
import { pickVictims, preemptible } from "./preemption.js";

const of = (Priority: number, change = {}) => anAlloc(aJob({ Priority }), change);

test("only what is ten less important, of another job, wanted and placed by us may give way, the least important and the youngest first", () => {
  const [low, young, mid, near] = [of(10, { CreateIndex: 1 }), of(10, { CreateIndex: 9 }), of(40), of(41)];
  const own = anAlloc(aJob({ ID: "mine", Priority: 10 }));
  const rest = [own, of(10, { DesiredStatus: "stop" }), of(10, { ClientStatus: "failed" }), of(10, { Ingested: true })];
  expect(preemptible(aJob({ ID: "mine", Priority: 50 }), [near, mid, low, young, ...rest])).toEqual([young, low, mid]);
});

test("no more give way than have to, and the important ones are spared", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 8 }), fc.nat(30), (sizes, wanted) => {
      const candidates = sizes.map((size, i) => ({ alloc: of(i), size }));
      const sizeOf = new Map(candidates.map(({ alloc, size }) => [alloc, size]));
      const fits = (victims: readonly ReturnType<typeof of>[]) =>
        victims.reduce((sum, v) => sum + (sizeOf.get(v) ?? 0), 0) >= wanted ? victims.length : null;
      const picked = pickVictims(
        candidates.map(({ alloc }) => alloc),
        fits,
      );
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(picked !== null).toBe(sizes.length > 0 && total >= wanted);
      if (!picked) return;
      expect(picked.result).toBe(picked.victims.length);
      for (const one of picked.victims) {
        const without = picked.victims.filter((v) => v !== one);
        if (without.length > 0) expect(fits(without)).toBeNull();
      }
    }),
  );
});
