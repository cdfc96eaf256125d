import type { Clock } from "../clock.js";
import { type AclRules, type AclToken, ANONYMOUS_POLICY } from "../model/acl.js";
import type { StateReader } from "../store/state-store.js";
import { type Acl, compileAcl, managementAcl } from "./acl.js";
import type { Identity } from "./identity.js";
import { hashSecret, sameHash } from "./secret.js";
import { TtlCache } from "./ttl-cache.js";

export interface ResolverOptions {
  /** How long what a token may do is kept. A change counts at once in any case. */
  readonly tokenTtlMs: number;
  /** How long the rules of one set of policies are kept compiled. */
  readonly policyTtlMs: number;
}

const MAX_CACHED = 1_000;
/** Stands for everything where a role's name is expected. */
const MANAGEMENT = "management";

/** Finds out who a secret belongs to and what its owner may do. */
export class AclResolver {
  readonly #store: Pick<StateReader, "acl" | "tableIndex">;
  readonly #clock: Clock;
  readonly #identities: TtlCache<Identity>;
  readonly #compiled: TtlCache<Acl>;
  #index = 0;

  constructor(deps: { readonly store: Pick<StateReader, "acl" | "tableIndex">; readonly clock: Clock; readonly options: ResolverOptions }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#identities = new TtlCache(deps.clock, deps.options.tokenTtlMs, MAX_CACHED);
    this.#compiled = new TtlCache(deps.clock, deps.options.policyTtlMs, MAX_CACHED);
  }

  /** @returns undefined when there is no such token. */
  bySecret(secret: string): Identity | "expired" | undefined {
    const hash = hashSecret(secret);
    const token = this.#store.acl.tokenByHash(hash);
    return token !== undefined && sameHash(token.SecretHash, hash) ? this.#ofToken(token) : undefined;
  }

  /** The same caller as it is now. @returns undefined when it is no caller any more. */
  again(identity: Identity): Identity | undefined {
    switch (identity.kind) {
      case "token": {
        const token = this.#store.acl.token(identity.accessor);
        const now = token === undefined ? undefined : this.#ofToken(token);
        return now === "expired" ? undefined : now;
      }
      case "anonymous":
        return this.anonymous();
      case "certificate":
        return this.ofCertificate(identity.accessor, identity.name);
      case "local":
        return identity;
    }
  }

  anonymous(): Identity {
    return { kind: "anonymous", accessor: "", name: "anonymous", acl: this.#acl([ANONYMOUS_POLICY]), expires: null };
  }

  /**
   * @param name of the certificate.
   * @param role whose policies count; nothing is allowed when there is no role of that name. `management` may do everything.
   */
  ofCertificate(name: string, role: string): Identity {
    const known = role === MANAGEMENT ? undefined : this.#store.acl.roles().find((candidate) => candidate.Name === role);
    const acl = role === MANAGEMENT ? managementAcl : this.#acl(known?.Policies ?? []);
    return { kind: "certificate", accessor: name, name: role, acl, expires: null };
  }

  #ofToken(token: AclToken): Identity | "expired" {
    if (token.ExpirationTime !== null && token.ExpirationTime <= this.#clock.now()) return "expired";
    this.#forgetOld();
    return this.#identities.get(token.AccessorID, () => ({
      kind: "token",
      accessor: token.AccessorID,
      name: token.Name,
      acl: token.Type === "management" ? managementAcl : this.#acl(this.#policiesOf(token)),
      expires: token.ExpirationTime,
    }));
  }

  #policiesOf(token: AclToken): readonly string[] {
    return [...token.Policies, ...token.Roles.flatMap((id) => this.#store.acl.role(id)?.Policies ?? [])];
  }

  #acl(policies: readonly string[]): Acl {
    this.#forgetOld();
    const names = [...new Set(policies)].sort();
    return this.#compiled.get(names.join("\n"), () =>
      compileAcl(names.map((name) => this.#store.acl.policy(name)?.RulesJSON).filter((rules): rules is AclRules => rules !== undefined)),
    );
  }

  #forgetOld(): void {
    const index = this.#store.tableIndex("acl");
    if (index === this.#index) return;
    this.#index = index;
    this.#identities.clear();
    this.#compiled.clear();
  }
}
