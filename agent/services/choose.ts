import { createHash } from "node:crypto";

/**
 * Some of the instances, the same ones for the same key as long as they are there: rendezvous hashing, so that one that
 * comes or goes moves only those who were on it.
 */
export function choose<T extends { readonly ID: string }>(instances: readonly T[], count: number, key: string): readonly T[] {
  const weight = ({ ID }: T): string => createHash("sha256").update(`${key}\0${ID}`).digest("hex");
  return instances
    .map((instance) => ({ instance, weight: weight(instance) }))
    .sort((a, b) => (a.weight < b.weight ? -1 : 1))
    .slice(0, count)
    .map(({ instance }) => instance);
}
