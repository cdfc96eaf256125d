import { type Dependency, dependencyName } from "./dependency.js";
import { functionRefusals, functionsFor } from "./functions/index.js";
import { TemplateExecError } from "./go/errors.js";
import { execute, type RenderLimits } from "./go/evaluator.js";
import type { Delimiters } from "./go/lexer.js";
import type { Template } from "./go/nodes.js";
import { parse } from "./go/parser.js";
import { bytesOf, GoMap, GoStruct, textOf, type Value } from "./go/values.js";

export const defaultDelimiters: Delimiters = { left: "{{", right: "}}" };

export interface SourceOptions {
  readonly delimiters: Delimiters;
  /** Patterns of functions that the operator does not want, with `*`. */
  readonly denied: readonly string[];
}

/**
 * Reads a template of a task.
 *
 * @throws TemplateSyntaxError that names the line and what is wrong or not supported.
 */
export const parseTemplate = (source: Buffer, { delimiters, denied }: SourceOptions): Template =>
  parse(source.toString("latin1"), {
    delimiters: { left: bytesOf(delimiters.left), right: bytesOf(delimiters.right) },
    refusal: functionRefusals(denied),
  });

export interface RenderScope {
  readonly env: Readonly<Record<string, string>>;
  readonly namespace: string;
  readonly region: string;
  readonly missingKeyIsError: boolean;
  readonly limits: RenderLimits;
  /** Unix nanoseconds. */
  now(): bigint;
  /** What is known of a dependency; undefined when that is nothing yet. @throws FunctionError when it may not be read. */
  recall(dependency: Dependency): Value | undefined;
}

export interface Rendered {
  readonly content: Buffer;
  /** What it has read, by name. */
  readonly used: ReadonlyMap<string, Dependency>;
  /** Names of what was not there: the content is not to be used. */
  readonly missing: readonly string[];
}

/** @throws TemplateExecError, TemplateLimitError. */
export function render(template: Template, scope: RenderScope): Rendered {
  const used = new Map<string, Dependency>();
  const missing = new Set<string>();
  const recall = (dependency: Dependency): Value | undefined => {
    const name = dependencyName(dependency, scope.region);
    const value = scope.recall(dependency);
    used.set(name, dependency);
    if (value === undefined) missing.add(name);
    return value;
  };
  const functions = functionsFor({ env: scope.env, namespace: scope.namespace, region: scope.region, now: () => scope.now(), recall });
  try {
    const content = execute(template, { functions, missingKeyIsError: scope.missingKeyIsError, limits: scope.limits });
    return { content: Buffer.from(content, "latin1"), used, missing: [...missing] };
  } catch (error) {
    if (error instanceof TemplateExecError) throw new TemplateExecError(redacted(error.message, [...used.values()].map(scope.recall)));
    throw error;
  }
}

/** Errors are kept in events and logs: they may not tell what a variable holds. */
function redacted(message: string, values: readonly (Value | undefined)[]): string {
  const secrets = values.filter((value) => value instanceof GoMap).flatMap((map) => [...map.entries.values()].map(secretOf));
  return secrets.reduce((text, secret) => (secret === "" ? text : text.replaceAll(secret, "[redacted]")), message);
}

const secretOf = (item: Value): string => textOf(item instanceof GoStruct ? (item.text ?? "") : typeof item === "string" ? item : "");
