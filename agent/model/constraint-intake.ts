import { compiledRegexp, PEER_OPERANDS, VALUE_OPERANDS } from "./constraint.js";
import { FieldReader } from "./field-reader.js";
import type { Affinity, Constraint, ScalingPolicy, Spread } from "./job.js";
import { parseVersionConstraint } from "./version.js";

const operands = [...VALUE_OPERANDS, ...PEER_OPERANDS];
const affinityOperands = VALUE_OPERANDS.filter((operand) => operand !== "is_set" && operand !== "is_not_set");

/** @throws InvalidField for the first constraint that can never be checked. */
export const readConstraints = (from: FieldReader): readonly Constraint[] | null =>
  orNull(from.list("Constraints", (value, at) => readConstraint(new FieldReader(value, at), operands)));

export const readAffinities = (from: FieldReader): readonly Affinity[] | null =>
  orNull(
    from.list("Affinities", (value, at) => {
      const affinity = new FieldReader(value, at);
      const Weight = affinity.whole("Weight", 50, { min: -100, max: 100 });
      if (Weight === 0) throw affinity.invalid("Weight", "a whole number from -100 to 100 that is not 0");
      return { ...readConstraint(affinity, affinityOperands), Weight };
    }),
  );

export const readSpreads = (from: FieldReader): readonly Spread[] | null => orNull(from.list("Spreads", readSpread));

/** @param count the group's, which has to lie within the bounds. */
export function readScaling(from: FieldReader, count: number): ScalingPolicy | null {
  return from.object("Scaling", (value, at) => {
    const policy = new FieldReader(value, at);
    const Min = policy.whole("Min", count);
    const Max = policy.whole("Max", 0);
    if (Max < Min) throw policy.invalid("Max", `Min (${Min}) or more`);
    if (count < Min || count > Max) throw from.invalid("Count", `a count from ${Min} to ${Max}, the bounds of its Scaling`);
    return { ...policy.others(["Min", "Max", "Enabled"]), Min, Max, Enabled: policy.flag("Enabled", true) };
  });
}

function readConstraint(from: FieldReader, accepted: readonly string[]): Constraint {
  const Operand = from.text("Operand") || "=";
  if (!accepted.includes(Operand)) throw from.invalid("Operand", `one of ${accepted.join(", ")}`);
  const constraint = { LTarget: from.text("LTarget"), RTarget: from.text("RTarget"), Operand };
  if (Operand !== "distinct_hosts" && constraint.LTarget === "")
    throw from.invalid("LTarget", `a target of ${Operand}, such as \${attr.kernel.name}`);
  checkRight(constraint, from);
  return constraint;
}

function checkRight({ Operand, RTarget }: Constraint, from: FieldReader): void {
  // What is only known on the node is checked there.
  if (RTarget.startsWith("${")) return;
  switch (Operand) {
    case "regexp":
      if (!compiledRegexp(RTarget)) throw from.invalid("RTarget", "a regular expression in RE2's syntax");
      return;
    case "version":
    case "semver":
      if (!parseVersionConstraint(RTarget, Operand)) throw from.invalid("RTarget", `a ${Operand} constraint, such as ">= 1.2, < 2.0"`);
      return;
    case "set_contains":
    case "set_contains_all":
    case "set_contains_any":
      if (RTarget === "") throw from.invalid("RTarget", "a list of values, with commas between them");
      return;
    case "distinct_hosts":
      if (!["", "true", "false"].includes(RTarget)) throw from.invalid("RTarget", "true or false");
      return;
    case "distinct_property":
      if (RTarget !== "" && !/^[1-9]\d{0,8}$/.test(RTarget)) throw from.invalid("RTarget", "how many may share the property, 1 or more");
      return;
    default:
  }
}

function readSpread(value: unknown, path: string): Spread {
  const from = new FieldReader(value, path);
  const Attribute = from.needed("Attribute");
  const targets = from.list("SpreadTarget", (target, at) => {
    const each = new FieldReader(target, at);
    return { Value: each.needed("Value"), Percent: each.whole("Percent", 0, { max: 100 }) };
  });
  const percent = (targets ?? []).reduce((sum, target) => sum + target.Percent, 0);
  if (percent > 100) throw from.invalid("SpreadTarget", `percentages of at most 100 together, not ${percent}`);
  return { Attribute, Weight: from.whole("Weight", 50, { max: 100 }), SpreadTarget: targets };
}

/** Nomad makes no difference between an empty list and none. */
const orNull = <T>(list: readonly T[] | null): readonly T[] | null => (list?.length ? list : null);
