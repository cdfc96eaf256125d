import type { Node } from "./node.js";

/** What a reference may name, by its full name: `attr.kernel.name`, `NOMAD_ALLOC_ID`. */
export type Lookup = (name: string) => string | undefined;

/** A driver config refers to something that does not exist, or is no template at all. `message` is Nomad's text. */
export class InterpolationError extends Error {
  override readonly name = "InterpolationError";
}

const reference = /\$\{([a-zA-Z0-9_\-.]+)\}/g;

/** Replaces references in a plain text. Unknown ones stay as they are. Source: reference behaviour §5.9. */
export function interpolateText(text: string, lookup: Lookup): string {
  return text.includes("${") ? text.replace(reference, (whole, name: string) => lookup(name) ?? whole) : text;
}

/**
 * Replaces references in a driver's config, in all strings at any depth. Unlike in plain texts an unknown one is an
 * error, as a command with half of its arguments must not run. Shell syntax without braces (`$HOME`, `$(date)`, `$$`)
 * passes untouched, and `$${X}` becomes a literal `${X}`. Source: reference behaviour §5.9 (HCL templates).
 *
 * @throws InterpolationError that names the variable.
 */
export function interpolateConfig<T>(value: T, lookup: Lookup): T {
  return walk(value, lookup) as T;
}

function walk(value: unknown, lookup: Lookup): unknown {
  if (typeof value === "string") return expand(value, lookup);
  if (Array.isArray(value)) return value.map((item) => walk(item, lookup));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, lookup)]));
}

/** An escape, or a reference with whatever is between its braces; `%%{` is the escape of a directive, which we have none of. */
const template = /\$\$\{|%%\{|\$\{([^}]*)(\}?)/g;

function expand(text: string, lookup: Lookup): string {
  if (!text.includes("{")) return text;
  return text.replace(template, (whole, inner: string | undefined, brace: string | undefined) => {
    if (inner === undefined) return whole.slice(1);
    if (brace === "") throw new InterpolationError(`Invalid expression: "${whole.slice(0, 60)}" has no closing brace.`);
    const name = referenceName(inner.trim());
    if (name === undefined) {
      throw new InterpolationError(`Invalid expression: "${whole}" is no reference; write $${whole} to pass it on as it is.`);
    }
    const value = lookup(name);
    if (value === undefined) {
      throw new InterpolationError(`Unknown variable: There is no variable named "${name}"; write $${whole} to pass it on as it is.`);
    }
    return value;
  });
}

/** `name.of.dots`, or the same with a last part in brackets: `env["NAME"]`. */
function referenceName(expression: string): string | undefined {
  if (/^[a-zA-Z0-9_\-.]+$/.test(expression)) return expression;
  const [, base, key] = /^([a-zA-Z0-9_\-.]+)\["([^"]+)"\]$/.exec(expression) ?? [];
  return base === undefined ? undefined : `${base}.${key}`;
}

/** What may be named of this host. Source: reference behaviour §5.9. */
export function nodeLookup(node: Node, region: string): Lookup {
  const own = new Map([
    ["node.unique.id", node.ID],
    ["node.unique.name", node.Name],
    ["node.datacenter", node.Datacenter],
    ["node.region", region],
    ["node.class", node.NodeClass],
    ["node.pool", node.NodePool],
  ]);
  const tables = [
    ["attr.", node.Attributes],
    ["meta.", node.Meta],
    ["node.attr.", node.Attributes],
    ["node.meta.", node.Meta],
  ] as const;
  return (name) => {
    const known = own.get(name);
    if (known !== undefined) return known;
    const [prefix, table] = tables.find(([start]) => name.startsWith(start)) ?? [];
    if (prefix === undefined || table === undefined) return undefined;
    const key = name.slice(prefix.length);
    return Object.hasOwn(table, key) ? table[key] : undefined;
  };
}

/** What may be named of a task: its variables, plainly or below `env.`, and its host. */
export function taskLookup(env: Readonly<Record<string, string>>, node: Lookup): Lookup {
  const variable = (name: string): string | undefined => (Object.hasOwn(env, name) ? env[name] : undefined);
  return (name) => variable(name) ?? (name.startsWith("env.") ? variable(name.slice(4)) : undefined) ?? node(name);
}
