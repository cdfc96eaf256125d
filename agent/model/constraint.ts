import { RE2JS } from "re2js";
import type { Lookup } from "./interpolate.js";
import type { Constraint, Job, TaskGroup } from "./job.js";
import { parseVersion, parseVersionConstraint, satisfiesVersion } from "./version.js";

/** Operands that compare one value of the node with another. Source: Nomad's constraint checker. */
export const VALUE_OPERANDS = [
  "=",
  "==",
  "is",
  "!=",
  "not",
  "<",
  "<=",
  ">",
  ">=",
  "regexp",
  "version",
  "semver",
  "set_contains",
  "set_contains_all",
  "set_contains_any",
  "is_set",
  "is_not_set",
] as const;
/** Operands that compare with the other allocations of the job. */
export const PEER_OPERANDS = ["distinct_hosts", "distinct_property"] as const;

export const isPeerOperand = (operand: string): operand is (typeof PEER_OPERANDS)[number] =>
  (PEER_OPERANDS as readonly string[]).includes(operand);

/** Everything that the node has to satisfy for a group: the job's constraints, the group's and its tasks'. */
export const constraintsOf = (job: Job, group: TaskGroup): readonly Constraint[] => [
  ...(job.Constraints ?? []),
  ...(group.Constraints ?? []),
  ...group.Tasks.flatMap((task) => task.Constraints ?? []),
];

/** As metrics name it. */
export const constraintText = ({ LTarget, Operand, RTarget }: Constraint): string => `${LTarget} ${Operand} ${RTarget}`;

/** Whether the node is as the constraint wants it. Peer operands are not looked at. */
export function isSatisfied({ LTarget, RTarget, Operand }: Constraint, lookup: Lookup): boolean {
  const left = targetValue(LTarget, lookup);
  const right = targetValue(RTarget, lookup);
  switch (Operand) {
    case "is_set":
      return left !== undefined;
    case "is_not_set":
      return left === undefined;
    case "!=":
    case "not":
      // Unlike all others it holds when there is nothing to compare.
      return left !== right;
    default:
      return left !== undefined && right !== undefined && compares(Operand, left, right);
  }
}

/** What a target stands for: a reference to the node, or itself. */
export function targetValue(target: string, lookup: Lookup): string | undefined {
  if (!target.startsWith("${")) return target;
  return lookup(target.replace(/^\$\{/, "").replace(/\}$/, ""));
}

function compares(operand: string, left: string, right: string): boolean {
  switch (operand) {
    case "=":
    case "==":
    case "is":
      return left === right;
    case "<":
      return order(left, right) < 0;
    case "<=":
      return order(left, right) <= 0;
    case ">":
      return order(left, right) > 0;
    case ">=":
      return order(left, right) >= 0;
    case "regexp":
      return compiledRegexp(right)?.matcher(left).find() ?? false;
    case "version":
    case "semver": {
      const version = parseVersion(left, operand);
      const constraint = parseVersionConstraint(right, operand);
      return version !== undefined && constraint !== undefined && satisfiesVersion(version, constraint);
    }
    case "set_contains":
    case "set_contains_all":
      return membersOf(right).every((member) => membersOf(left).includes(member));
    case "set_contains_any":
      return membersOf(right).some((member) => membersOf(left).includes(member));
    default:
      return false;
  }
}

/** Whole numbers and decimal ones by their value, all else by its letters. */
function order(left: string, right: string): number {
  if (/^[+-]?\d+$/.test(left) && /^[+-]?\d+$/.test(right)) {
    const [a, b] = [BigInt(left.replace("+", "")), BigInt(right.replace("+", ""))];
    return a < b ? -1 : a > b ? 1 : 0;
  }
  const [a, b] = [decimal(left), decimal(right)];
  if (a !== undefined && b !== undefined) return a - b;
  return left < right ? -1 : left > right ? 1 : 0;
}

const decimal = (text: string): number | undefined => (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined);

const membersOf = (set: string): readonly string[] => set.split(",").map((member) => member.trim());

/** In time linear to the text, as jobs of anybody are matched. Undefined when it is no expression. */
export function compiledRegexp(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
}
