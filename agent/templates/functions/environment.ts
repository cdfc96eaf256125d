import { FunctionError } from "../go/errors.js";
import { bytesOf, type GoFunction, textOf } from "../go/values.js";
import { define } from "./define.js";

/** The task's variables. Unlike the reference's these never are the agent's own. */
export function environmentFunctions(env: Readonly<Record<string, string>>): ReadonlyMap<string, GoFunction> {
  const variable = (name: string): string | undefined => {
    const key = textOf(name);
    return Object.hasOwn(env, key) ? bytesOf(env[key] ?? "") : undefined;
  };
  return new Map([
    ["env", define(["string"], (name) => variable(name) ?? "")],
    ["envOrDefault", define(["string", "string"], (name, fallback) => variable(name) ?? fallback)],
    [
      "mustEnv",
      define(["string"], (name) => {
        const value = variable(name);
        if (!value) throw new FunctionError(`required environment variable ${textOf(name)} is empty`);
        return value;
      }),
    ],
  ]);
}
