import type { Allocation } from "./allocation.js";
import { constraintsOf, constraintText, isPeerOperand, isSatisfied, targetValue } from "./constraint.js";
import { type Lookup, nodeLookup } from "./interpolate.js";
import type { Constraint, Job, TaskGroup } from "./job.js";
import type { Node } from "./node.js";

/** Other allocations of the job that are wanted on the node, those of the same plan among them. */
export type Peer = Pick<Allocation, "TaskGroup">;

/**
 * Why the node is not one for the group, as metrics name it, or null. Room is not looked at.
 * Source: Nomad's feasibility checkers, in their order.
 */
export function whyFiltered(job: Job, group: TaskGroup, node: Node, peers: readonly Peer[]): string | null {
  if (!group.Tasks.every((task) => node.Drivers[task.Driver]?.Healthy)) return "missing drivers";
  if (group.Tasks.some((task) => Array.isArray(task.Resources.Devices) && task.Resources.Devices.length > 0)) return "missing devices";
  const lookup = nodeLookup(node, job.Region);
  const broken = [...constraintsOf(job, group), ...impliedBy(group)].find(
    (constraint) => !isPeerOperand(constraint.Operand) && !isSatisfied(constraint, lookup),
  );
  if (broken) return constraintText(broken);
  const ofGroup = peers.filter((peer) => peer.TaskGroup === group.Name);
  const limits = [
    ...(job.Constraints ?? []).map((constraint) => ({ constraint, count: peers.length })),
    ...(group.Constraints ?? []).map((constraint) => ({ constraint, count: ofGroup.length })),
    ...group.Tasks.flatMap((task) => task.Constraints ?? []).map((constraint) => ({ constraint, count: ofGroup.length })),
  ];
  for (const { constraint, count } of limits) {
    const why = whyNotDistinct(constraint, count, lookup);
    if (why) return why;
  }
  return null;
}

/** What tasks ask for without saying it as a constraint. Source: Nomad's implicit constraints. */
const impliedBy = (group: TaskGroup): readonly Constraint[] => (group.Tasks.some((task) => task.Vault) ? [VAULT] : []);
const VAULT: Constraint = { LTarget: "${attr.vault.version}", Operand: "semver", RTarget: ">= 0.6.1" };

/** All allocations of one host share its name and its properties. */
function whyNotDistinct({ Operand, LTarget, RTarget }: Constraint, count: number, lookup: Lookup): string | null {
  if (Operand === "distinct_hosts") return RTarget !== "false" && count > 0 ? "distinct_hosts" : null;
  if (Operand !== "distinct_property") return null;
  const value = targetValue(LTarget, lookup);
  if (value === undefined) return `missing property "${LTarget}"`;
  return count >= Number(RTarget || 1) ? `distinct_property: ${LTarget}=${value} used by ${count} allocs` : null;
}

/** Whether a constraint looks at what no two nodes share, so that their class says nothing about it. */
export const escapesClass = (job: Job, group: TaskGroup): boolean =>
  constraintsOf(job, group).some(({ LTarget, RTarget }) =>
    [LTarget, RTarget].some((target) => /^\$\{(node|attr|meta)\.unique\./.test(target)),
  );

/**
 * A name for all nodes that constraints can not tell apart.
 *
 * @returns `v1:` and a number of 64 bits.
 */
export function computedClass({ Datacenter, NodePool, NodeClass, Attributes, Meta }: Node): string {
  const shared = (table: Readonly<Record<string, string>>): readonly [string, string][] =>
    Object.entries(table)
      .filter(([name]) => !name.startsWith("unique."))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([Datacenter, NodePool, NodeClass, shared(Attributes), shared(Meta)]);
  // FNV-1a.
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return `v1:${hash}`;
}
