import type { Acl } from "../../agent/acl/acl.js";
import type { NamespaceCapability } from "../../agent/acl/capabilities.js";
import type { Identity } from "../../agent/acl/identity.js";
import { AllocdError } from "../../agent/errors.js";

/** A refusal says nothing of what it is about. Source: reference behaviour §1.2. */
export const denied = (): AllocdError => new AllocdError("permission-denied", "Permission denied");

/** What keeps an eye on callers whose requests last. */
export interface Warden {
  /** The caller as it is now; undefined when it is none any more. */
  again(identity: Identity): Identity | undefined;
  /** Calls `end` once when `check` throws after a change of access control, or when the token expires. */
  guard(identity: Identity, check: () => void, end: () => void): () => void;
}

/** Who sends a request. */
export class Caller {
  readonly #warden: Warden;

  constructor(
    readonly identity: Identity,
    /** The address that it calls from; `unix` for a local socket. */
    readonly address: string,
    warden: Warden,
  ) {
    this.#warden = warden;
  }

  /** What it may do now. @throws AllocdError 403 when its token is gone. */
  get acl(): Acl {
    const now = this.#warden.again(this.identity);
    if (now === undefined) throw denied();
    return now.acl;
  }

  /** @throws AllocdError 403 */
  require(capability: NamespaceCapability, namespace: string): void {
    if (!this.acl.allows(capability, namespace)) throw denied();
  }

  /**
   * Watches over something that lasts.
   *
   * @param check throws when the caller may not do it any more.
   * @param end is called once then, within a second.
   * @returns a function that ends the watch.
   */
  whileAllowed(check: () => void, end: () => void): () => void {
    return this.#warden.guard(this.identity, check, end);
  }
}
