/** Finds the rule that is for a name. */
export class NameRules<T> {
  readonly #exact = new Map<string, T>();
  /** The most specific first. */
  readonly #globs: { readonly matches: (name: string) => boolean; readonly rule: T }[];

  /** @param rules by name or pattern, each once. */
  constructor(rules: ReadonlyMap<string, T>) {
    const globs: [pattern: string, rule: T][] = [];
    for (const [name, rule] of rules) {
      if (name.includes("*")) globs.push([name, rule]);
      else this.#exact.set(name, rule);
    }
    this.#globs = globs
      .sort(([a], [b]) => literals(b) - literals(a) || (a < b ? -1 : 1))
      .map(([pattern, rule]) => ({ matches: (name) => matchesGlob(pattern, name), rule }));
  }

  /** The rule of exactly this name, else the one whose pattern matches with the most characters of its own. */
  find(name: string): T | undefined {
    return this.#exact.get(name) ?? this.#globs.find(({ matches }) => matches(name))?.rule;
  }

  /** All of them. */
  *all(): Generator<T> {
    yield* this.#exact.values();
    for (const { rule } of this.#globs) yield rule;
  }
}

const literals = (pattern: string): number => pattern.replaceAll("*", "").length;

/**
 * Whether a pattern, in which * stands for anything, is for a name. Without a regular expression, whose time a caller's
 * pattern could make long: at most pattern times name.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === name;
  if (!name.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
