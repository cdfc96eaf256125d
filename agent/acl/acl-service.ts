import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import { KeyedQueue } from "../jobs/keyed-queue.js";
import type { Logger } from "../log.js";
import type { AclPolicy, AclRole, AclToken } from "../model/acl.js";
import { formatGoDuration } from "../model/go-duration.js";
import type { AclChange } from "../store/acl-table.js";
import type { StateStore } from "../store/state-store.js";
import { bootstrapReset } from "./bootstrap-reset.js";
import type { PolicyInput, RoleInput, RoleLink, TokenInput } from "./intake.js";
import { RulesReader } from "./rules-reader.js";
import { hashSecret, newSecret } from "./secret.js";

export interface AclOptions {
  /** The least and the most that a token may last which expires, in nanoseconds. */
  readonly minTtlNs: number;
  readonly maxTtlNs: number;
  /** Where the file of a bootstrap reset is looked for. */
  readonly dataDir: string;
}

export interface NewToken {
  readonly token: AclToken;
  /** Told once. */
  readonly secret: string;
}

/** Of each: far more than a host's callers are. */
const MAX_OBJECTS = 20_000;
const secretForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Changes of policies, roles and tokens, one after the other. Everything rejects with AllocdError or InvalidInput when the caller is mistaken. */
export class AclService {
  readonly #store: StateStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: AclOptions;
  readonly #rules: RulesReader;
  readonly #queue = new KeyedQueue();

  constructor(deps: {
    readonly store: StateStore;
    readonly clock: Clock;
    readonly log: Logger;
    readonly options: AclOptions;
    readonly rules?: RulesReader;
  }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#options = deps.options;
    this.#rules = deps.rules ?? new RulesReader();
  }

  /**
   * Makes the first management token. Once, or again after a reset.
   *
   * @param given the secret that an operator wants it to have.
   */
  bootstrap(given = ""): Promise<NewToken> {
    return this.#inTurn(async () => {
      if (given !== "" && !secretForm.test(given)) throw new AllocdError("invalid", "BootstrapSecret: want a UUID");
      const last = this.#store.acl.bootstrapIndex;
      const reset = last === 0 ? undefined : bootstrapReset(this.#options.dataDir);
      if (last !== 0 && reset === undefined) throw new AllocdError("invalid", `ACL bootstrap already done (reset index: ${last})`);
      if (reset !== undefined && reset.index !== last)
        throw new AllocdError("invalid", `Invalid bootstrap reset index (specified ${reset.index}, reset index: ${last})`);
      const secret = given === "" ? newSecret() : given;
      const hash = hashSecret(secret);
      if (this.#store.acl.tokenByHash(hash)) throw new AllocdError("invalid", "BootstrapSecret: want one that no token has");
      const token = this.#newToken(
        { Name: "Bootstrap Token", Type: "management", Policies: [], Global: true },
        [],
        hash,
        this.#clock.now(),
        null,
      );
      await this.#commit([
        { put: "token", value: token },
        { put: "bootstrap", value: { index: 0 } },
      ]);
      reset?.consume();
      this.#log.info({ accessor: token.AccessorID }, "access control was bootstrapped");
      return { token: this.#token(token.AccessorID), secret };
    });
  }

  putPolicy({ Name, Description, Rules }: PolicyInput): Promise<number> {
    return this.#inTurn(async () => {
      const RulesJSON = await this.#rules.read(Rules);
      if (this.#store.acl.policy(Name) === undefined) this.#checkRoom("policies", this.#store.acl.policies());
      const value: AclPolicy = { Name, Description, Rules, RulesJSON, CreateIndex: 0, ModifyIndex: 0 };
      return this.#commit([{ put: "policy", value }]);
    });
  }

  deletePolicy(name: string): Promise<number> {
    return this.#inTurn(async () => {
      if (this.#store.acl.policy(name) === undefined) throw new AllocdError("not-found", "ACL policy not found");
      return this.#commit([{ drop: "policy", key: name }]);
    });
  }

  /** @param id of the role that is changed; undefined makes one. */
  putRole(input: RoleInput, id?: string): Promise<AclRole> {
    return this.#inTurn(async () => {
      const { acl } = this.#store;
      if (id === undefined && input.ID !== "") throw new AllocdError("invalid", "Role.ID: want none for a new role");
      if (id !== undefined && acl.role(id) === undefined) throw new AllocdError("not-found", "ACL role not found");
      if (id !== undefined && input.ID !== "" && input.ID !== id) throw new AllocdError("invalid", "Role.ID: want the path's");
      const other = acl.roles().find((role) => role.Name === input.Name);
      if (other !== undefined && other.ID !== id) throw new AllocdError("conflict", `role with name ${input.Name} already exists`);
      this.#checkPolicies(input.Policies);
      if (id === undefined) this.#checkRoom("roles", acl.roles());
      const value: AclRole = { ...input, ID: id ?? randomUUID(), CreateIndex: 0, ModifyIndex: 0 };
      await this.#commit([{ put: "role", value }]);
      const role = acl.role(value.ID);
      if (role === undefined) throw new AllocdError("not-found", "ACL role not found");
      return role;
    });
  }

  deleteRole(id: string): Promise<number> {
    return this.#inTurn(async () => {
      if (this.#store.acl.role(id) === undefined) throw new AllocdError("not-found", "ACL role not found");
      return this.#commit([{ drop: "role", key: id }]);
    });
  }

  /** Tokens that have expired are removed with the same commit. */
  createToken(input: TokenInput): Promise<NewToken> {
    return this.#inTurn(async () => {
      if (input.AccessorID !== "") throw new AllocdError("invalid", "Token.AccessorID: want none for a new token");
      this.#checkPolicies(input.Policies);
      const roles = this.#roleIds(input.Roles);
      const now = this.#clock.now();
      const expires = this.#expiry(input.expires, now);
      const expired = this.#store.acl.tokens().filter((token) => token.ExpirationTime !== null && token.ExpirationTime <= now);
      if (expired.length === 0) this.#checkRoom("tokens", this.#store.acl.tokens());
      const secret = newSecret();
      const token = this.#newToken(input, roles, hashSecret(secret), now, expires);
      await this.#commit([
        ...expired.map(({ AccessorID }) => ({ drop: "token", key: AccessorID }) as const),
        { put: "token", value: token },
      ]);
      return { token: this.#token(token.AccessorID), secret };
    });
  }

  /** Its secret, and when it expires, stay as they are. */
  updateToken(accessor: string, input: TokenInput): Promise<AclToken> {
    return this.#inTurn(async () => {
      const before = this.#token(accessor);
      if (input.AccessorID !== "" && input.AccessorID !== accessor) throw new AllocdError("invalid", "Token.AccessorID: want the path's");
      if (input.expires !== null)
        throw new AllocdError("invalid", "Token.ExpirationTTL: want none: when a token expires can not be changed");
      this.#checkPolicies(input.Policies);
      const { Name, Type, Policies } = input;
      await this.#commit([{ put: "token", value: { ...before, Name, Type, Policies, Roles: this.#roleIds(input.Roles) } }]);
      return this.#token(accessor);
    });
  }

  deleteToken(accessor: string): Promise<number> {
    return this.#inTurn(async () => {
      this.#token(accessor);
      return this.#commit([{ drop: "token", key: accessor }]);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.run("acl", work);
  }

  #commit(changes: readonly AclChange[]): Promise<number> {
    return this.#store.commit(
      changes.map((change) => ({ kind: "acl", change })),
      { refusable: true },
    );
  }

  #token(accessor: string): AclToken {
    const token = this.#store.acl.token(accessor);
    if (token === undefined) throw new AllocdError("not-found", "ACL token not found");
    return token;
  }

  #newToken(
    { Name, Type, Policies, Global }: Pick<TokenInput, "Name" | "Type" | "Policies" | "Global">,
    Roles: readonly string[],
    SecretHash: string,
    CreateTime: bigint,
    ExpirationTime: bigint | null,
  ): AclToken {
    const stamps = { CreateTime, ExpirationTime, CreateIndex: 0, ModifyIndex: 0 };
    return { AccessorID: randomUUID(), SecretHash, Name, Type, Policies, Roles, Global, ...stamps };
  }

  #checkPolicies(names: readonly string[]): void {
    for (const name of names)
      if (this.#store.acl.policy(name) === undefined) throw new AllocdError("invalid", `cannot find policy ${name}`);
  }

  #roleIds(links: readonly RoleLink[]): readonly string[] {
    const ids = links.map(({ ID, Name }) => {
      const role = ID === "" ? this.#store.acl.roles().find((known) => known.Name === Name) : this.#store.acl.role(ID);
      if (role === undefined) throw new AllocdError("invalid", `cannot find role ${ID || Name}`);
      return role.ID;
    });
    return [...new Set(ids)];
  }

  #expiry(expires: TokenInput["expires"], now: bigint): bigint | null {
    if (expires === null) return null;
    const at = "at" in expires ? expires.at : now + BigInt(expires.after);
    const { minTtlNs, maxTtlNs } = this.#options;
    const left = at - now;
    if (left < BigInt(minTtlNs) || left > BigInt(maxTtlNs)) {
      throw new AllocdError(
        "invalid",
        `expiration time: want one from ${formatGoDuration(minTtlNs)} to ${formatGoDuration(maxTtlNs)} in the future`,
      );
    }
    return at;
  }

  #checkRoom(what: string, all: readonly unknown[]): void {
    if (all.length >= MAX_OBJECTS) throw new AllocdError("conflict", `there are ${all.length} ${what} already, which is the limit`);
  }
}
