import { builtins } from "../go/builtins.js";
import { FunctionError } from "../go/errors.js";
import type { Functions } from "../go/values.js";
import { textOf } from "../go/values.js";
import { type DataScope, dataFunctions } from "./data.js";
import { defineVariadic } from "./define.js";
import { encodingFunctions } from "./encoding.js";
import { environmentFunctions } from "./environment.js";
import { listFunctions } from "./lists.js";
import { numberFunctions } from "./numbers.js";
import { textFunctions } from "./text.js";
import { formatTime } from "./time.js";
import { whyUnsupported } from "./unsupported.js";

export interface FunctionScope extends DataScope {
  readonly env: Readonly<Record<string, string>>;
  /** Unix nanoseconds. */
  now(): bigint;
}

/** Every function that a template may call. Source: the reference's template functions. */
export const functionsFor = (scope: FunctionScope): Functions =>
  new Map([
    ...builtins,
    ...environmentFunctions(scope.env),
    ...dataFunctions(scope),
    ...textFunctions,
    ...numberFunctions,
    ...listFunctions,
    ...encodingFunctions,
    ["timestamp", defineVariadic("string", (args) => timestamp(scope.now(), args))],
  ]);

function timestamp(now: bigint, args: readonly string[]): string {
  const [layout = "2006-01-02T15:04:05Z07:00", ...more] = args;
  if (more.length > 0) throw new FunctionError(`timestamp: wrong number of arguments, expected 0 or 1, but got ${args.length}`);
  return layout === "unix" ? String(now / 1_000_000_000n) : formatTime(now, layout);
}

const known: ReadonlySet<string> = new Set(
  functionsFor({ env: {}, namespace: "", region: "", now: () => 0n, recall: () => undefined }).keys(),
);

/**
 * Says of functions why a template can not call them, for the parser; null when it can.
 *
 * @param denied patterns of functions that the operator does not want, with `*`.
 */
export function functionRefusals(denied: readonly string[]): (name: string) => string | null {
  const patterns = denied.map((pattern) => new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`));
  return (bytes) => {
    const name = textOf(bytes);
    const quoted = JSON.stringify(name);
    if (patterns.some((pattern) => pattern.test(name))) return `function ${quoted} is disabled`;
    const why = whyUnsupported(name);
    if (why !== undefined) return `function ${quoted} is not supported: ${why}`;
    return known.has(bytes) ? null : `function ${quoted} not defined`;
  };
}
