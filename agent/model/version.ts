/**
 * Versions and constraints on them, as jobs write them. Source: the rules of HashiCorp's go-version, which no package of
 * npm follows: any number of segments, `~>`, and prereleases that match only constraints which name one.
 */
export interface Version {
  /** At least three; the ones that were not given are 0. */
  readonly segments: readonly bigint[];
  /** How many were given. */
  readonly given: number;
  readonly prerelease: string;
}

type Flavour = "version" | "semver";

const loose =
  /^v?(\d+(?:\.\d+)*)(?:-?([A-Za-z~][0-9A-Za-z\-~]*(?:\.[0-9A-Za-z\-~]+)*)|-(\d[0-9A-Za-z\-~]*(?:\.[0-9A-Za-z\-~]+)*))?(?:\+[0-9A-Za-z\-~]+(?:\.[0-9A-Za-z\-~]+)*)?$/;
const strict = /^v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z\-~]+(?:\.[0-9A-Za-z\-~]+)*))?(?:\+[0-9A-Za-z\-~]+(?:\.[0-9A-Za-z\-~]+)*)?$/;
const leastSegments = 3;

/** @returns undefined when the text is no version. */
export function parseVersion(text: string, flavour: Flavour = "version"): Version | undefined {
  const match = (flavour === "semver" ? strict : loose).exec(text.trim());
  if (!match?.[1]) return undefined;
  const segments = match[1].split(".").map(BigInt);
  const given = segments.length;
  while (segments.length < leastSegments) segments.push(0n);
  return { segments, given, prerelease: match[2] ?? match[3] ?? "" };
}

/** Below 0 when `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < Math.max(a.segments.length, b.segments.length); i++) {
    const [left, right] = [a.segments[i] ?? 0n, b.segments[i] ?? 0n];
    if (left !== right) return left < right ? -1 : 1;
  }
  return comparePrereleases(a.prerelease, b.prerelease);
}

function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "") return 1;
  if (b === "") return -1;
  const [left, right] = [a.split("."), b.split(".")];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]];
    if (l === r) continue;
    if (l === undefined) return -1;
    if (r === undefined) return 1;
    const [ln, rn] = [/^\d+$/.test(l), /^\d+$/.test(r)];
    if (ln && rn && BigInt(l) !== BigInt(r)) return BigInt(l) < BigInt(r) ? -1 : 1;
    if (ln !== rn) return ln ? -1 : 1;
    if (!ln) return l < r ? -1 : 1;
  }
  return 0;
}

type Operator = "=" | "!=" | ">" | "<" | ">=" | "<=" | "~>";

/** Every part has to hold. */
export type VersionConstraint = readonly { readonly operator: Operator; readonly version: Version; readonly flavour: Flavour }[];

/** @returns undefined when the text is no constraint, such as `>= 1.2, < 2.0`. */
export function parseVersionConstraint(text: string, flavour: Flavour = "version"): VersionConstraint | undefined {
  const parts = text.split(",").map((part) => {
    const [, operator = "", rest = ""] = /^\s*(!=|>=|<=|~>|=|>|<|)\s*(.*?)\s*$/.exec(part) ?? [];
    const version = parseVersion(rest, flavour);
    // Semantic versions have no pessimistic operator.
    return version && !(flavour === "semver" && operator === "~>")
      ? { operator: (operator || "=") as Operator, version, flavour }
      : undefined;
  });
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

export const satisfiesVersion = (version: Version, constraint: VersionConstraint): boolean =>
  constraint.every((part) => holds(version, part));

function holds(version: Version, { operator, version: wanted, flavour }: VersionConstraint[number]): boolean {
  const order = compareVersions(version, wanted);
  if (operator === "=") return order === 0;
  if (operator === "!=") return order !== 0;
  if (flavour === "version" && !mayCompare(version, wanted)) return false;
  switch (operator) {
    case ">":
      return order > 0;
    case "<":
      return order < 0;
    case ">=":
      return order >= 0;
    case "<=":
      return order <= 0;
    case "~>":
      return order >= 0 && isNear(version, wanted);
  }
}

/** A prerelease matches only a constraint that names a prerelease of the same version. */
function mayCompare(version: Version, wanted: Version): boolean {
  if (version.prerelease === "") return true;
  return wanted.prerelease !== "" && sameSegments(version, wanted);
}

const sameSegments = (a: Version, b: Version): boolean => compareVersions({ ...a, prerelease: "" }, { ...b, prerelease: "" }) === 0;

/** `~>`: all but the last of the given segments are the same. */
function isNear(version: Version, wanted: Version): boolean {
  if (wanted.prerelease !== "" && version.prerelease === "") return false;
  if (wanted.segments.length > version.segments.length) return false;
  return wanted.segments.slice(0, wanted.given - 1).every((segment, i) => segment === version.segments[i]);
}
