import { z } from "zod";
import { configSchema } from "./schema.js";

/** A node of the published JSON schema, as far as it is looked at here. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/** One setting that has a value of its own, not a group of them. */
export interface Setting {
  readonly path: readonly string[];
  /** The environment variable that sets it, such as ALLOCD_LOG_LEVEL. */
  readonly variable: string;
  readonly schema: JsonSchema;
}

export const jsonSchema = (): JsonSchema => z.toJSONSchema(configSchema, { io: "input" }) as JsonSchema;

/** All settings in the order of the schema. */
export function settings(): readonly Setting[] {
  return leaves(jsonSchema(), []);
}

const leaves = (schema: JsonSchema, path: readonly string[]): readonly Setting[] =>
  Object.entries(schema.properties ?? {})
    .filter(([key]) => key !== "$schema")
    .flatMap(([key, child]) => {
      const here = [...path, key];
      return child.properties ? leaves(child, here) : [{ path: here, variable: variableOf(here), schema: child }];
    });

const variableOf = (path: readonly string[]): string => `ALLOCD_${path.join("_").toUpperCase()}`;
