import type { UnixNano } from "./units.js";

/** What is known of a variable without reading what it holds. */
export interface VariableMetadata {
  readonly Namespace: string;
  readonly Path: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: UnixNano;
  readonly ModifyTime: UnixNano;
}

export type VariableItems = Readonly<Record<string, string>>;

export interface Variable extends VariableMetadata {
  readonly Items: VariableItems;
}

/** A variable as it is stored: nobody reads its items without the key. */
export interface SealedVariable extends VariableMetadata {
  readonly KeyID: string;
  /** Nonce, encrypted items and tag, in base64. */
  readonly Data: string;
}

/** A variable's key in tables and in watch keys. A path has no such character. */
export const variableKey = (namespace: string, path: string): string => `${namespace}@${path}`;
