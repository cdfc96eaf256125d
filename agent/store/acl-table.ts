import type { AclPolicy, AclRole, AclToken } from "../model/acl.js";
import { encodeJson, parseJson } from "../model/json.js";

/** A change of access control. CreateIndex and ModifyIndex are stamped. */
export type AclChange =
  | { readonly put: "policy"; readonly value: AclPolicy }
  | { readonly put: "role"; readonly value: AclRole }
  | { readonly put: "token"; readonly value: AclToken }
  | { readonly drop: "policy" | "role" | "token"; readonly key: string }
  /** The first management token was made; told by the index of the commit. */
  | { readonly put: "bootstrap"; readonly value: { readonly index: number } };

/** What is read of access control. Every object is an immutable snapshot. */
export interface AclReader {
  policy(name: string): AclPolicy | undefined;
  /** By name. */
  policies(): readonly AclPolicy[];
  role(id: string): AclRole | undefined;
  roles(): readonly AclRole[];
  token(accessor: string): AclToken | undefined;
  tokenByHash(secretHash: string): AclToken | undefined;
  tokens(): readonly AclToken[];
  /** The index of the latest bootstrap; 0 when there was none. */
  readonly bootstrapIndex: number;
}

/** One row: kind, key and body. */
export interface AclRow {
  readonly kind: string;
  readonly key: string;
  readonly body: string;
}

export const aclKey = (change: AclChange): string => {
  if ("drop" in change) return change.key;
  switch (change.put) {
    case "policy":
      return change.value.Name;
    case "role":
      return change.value.ID;
    case "token":
      return change.value.AccessorID;
    case "bootstrap":
      return "";
  }
};

/** Access control in memory. */
export class AclTable implements AclReader {
  readonly #policies = new Map<string, AclPolicy>();
  readonly #roles = new Map<string, AclRole>();
  readonly #tokens = new Map<string, AclToken>();
  readonly #byHash = new Map<string, AclToken>();
  #bootstrapIndex = 0;

  constructor(from: readonly AclChange[] = []) {
    for (const change of from) this.apply(change);
  }

  get bootstrapIndex(): number {
    return this.#bootstrapIndex;
  }

  policy(name: string): AclPolicy | undefined {
    return this.#policies.get(name);
  }

  policies(): readonly AclPolicy[] {
    return [...this.#policies.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  role(id: string): AclRole | undefined {
    return this.#roles.get(id);
  }

  roles(): readonly AclRole[] {
    return [...this.#roles.values()].sort((a, b) => a.CreateIndex - b.CreateIndex || (a.ID < b.ID ? -1 : 1));
  }

  token(accessor: string): AclToken | undefined {
    return this.#tokens.get(accessor);
  }

  tokenByHash(secretHash: string): AclToken | undefined {
    return this.#byHash.get(secretHash);
  }

  tokens(): readonly AclToken[] {
    return [...this.#tokens.values()].sort((a, b) => a.CreateIndex - b.CreateIndex || (a.AccessorID < b.AccessorID ? -1 : 1));
  }

  /** All of it as the changes that make it. */
  snapshot(): readonly AclChange[] {
    return [
      ...this.policies().map((value) => ({ put: "policy", value }) as const),
      ...this.roles().map((value) => ({ put: "role", value }) as const),
      ...this.tokens().map((value) => ({ put: "token", value }) as const),
      ...(this.#bootstrapIndex === 0 ? [] : [{ put: "bootstrap", value: { index: this.#bootstrapIndex } } as const]),
    ];
  }

  /** @returns what a change comes to; undefined for the removal of what is not there. */
  stamped(change: AclChange, index: number): AclChange | undefined {
    if ("drop" in change) return this.#has(change) ? change : undefined;
    const stamps = (before: { readonly CreateIndex: number } | undefined) => ({
      CreateIndex: before?.CreateIndex ?? index,
      ModifyIndex: index,
    });
    switch (change.put) {
      case "policy":
        return { put: "policy", value: { ...change.value, ...stamps(this.policy(change.value.Name)) } };
      case "role":
        return { put: "role", value: { ...change.value, ...stamps(this.role(change.value.ID)) } };
      case "token":
        return { put: "token", value: { ...change.value, ...stamps(this.token(change.value.AccessorID)) } };
      case "bootstrap":
        return { put: "bootstrap", value: { index } };
    }
  }

  apply(change: AclChange): void {
    if ("drop" in change) {
      this.#drop(change.drop, change.key);
      return;
    }
    switch (change.put) {
      case "policy":
        this.#policies.set(change.value.Name, change.value);
        return;
      case "role":
        this.#roles.set(change.value.ID, change.value);
        return;
      case "token":
        this.#drop("token", change.value.AccessorID);
        this.#tokens.set(change.value.AccessorID, change.value);
        this.#byHash.set(change.value.SecretHash, change.value);
        return;
      case "bootstrap":
        this.#bootstrapIndex = change.value.index;
        return;
    }
  }

  #has({ drop, key }: { readonly drop: "policy" | "role" | "token"; readonly key: string }): boolean {
    return (drop === "policy" ? this.#policies : drop === "role" ? this.#roles : this.#tokens).has(key);
  }

  #drop(kind: "policy" | "role" | "token", key: string): void {
    if (kind === "policy") this.#policies.delete(key);
    else if (kind === "role") this.#roles.delete(key);
    else {
      const token = this.#tokens.get(key);
      if (token) this.#byHash.delete(token.SecretHash);
      this.#tokens.delete(key);
    }
  }
}

export const encodeAclBody = (change: Extract<AclChange, { readonly put: string }>): string => encodeJson(change.value);

export function decodeAclRow({ kind, body }: AclRow): AclChange {
  const value = parseJson(body);
  if (kind !== "token") return { put: kind, value } as AclChange;
  const token = value as AclToken;
  // Small times, as in tests and for 1970, are read as numbers.
  const ExpirationTime = token.ExpirationTime === null ? null : BigInt(token.ExpirationTime);
  return { put: "token", value: { ...token, CreateTime: BigInt(token.CreateTime), ExpirationTime } };
}
