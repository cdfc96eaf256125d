import { encodeJson } from "./json.js";
import type { Variable, VariableMetadata } from "./variable.js";

/** An element of GET /v1/vars. */
export function encodeVariableMetadata({ Namespace, Path, CreateIndex, ModifyIndex, CreateTime, ModifyTime }: VariableMetadata): string {
  return encodeJson({ CreateIndex, CreateTime, Lock: null, ModifyIndex, ModifyTime, Namespace, Path });
}

/** GET /v1/var/:path */
export function encodeVariable({ Namespace, Path, CreateIndex, ModifyIndex, CreateTime, ModifyTime, Items }: Variable): string {
  return encodeJson({ CreateIndex, CreateTime, Items, Lock: null, ModifyIndex, ModifyTime, Namespace, Path });
}
