import type { IncomingMessage } from "node:http";
import { managementAcl } from "../../agent/acl/acl.js";
import type { Identity } from "../../agent/acl/identity.js";
import type { AclResolver } from "../../agent/acl/resolver.js";
import type { Clock } from "../../agent/clock.js";
import { AllocdError, BadToken } from "../../agent/errors.js";
import type { StateWatch } from "../../agent/store/state-store.js";
import type { AttemptLimit } from "./attempt-limit.js";
import { Caller, type Warden } from "./caller.js";
import { certificateName } from "./certificate.js";

/** Tells who sends a request. */
export interface Authority {
  /**
   * @param handshake the token of a WebSocket's first message, which stands for one in a header.
   * @throws AllocdError 403 for a token that does not count, 429 when too many were tried.
   */
  callerOf(request: IncomingMessage, handshake?: string): Caller;
  close(): void;
}

export const addressOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? "unix";

const bearer = /^bearer +(\S+)/i;

/** The token of a request's headers. Source: reference behaviour §1.6. */
export function tokenOf(request: IncomingMessage): string | undefined {
  const given = request.headers["x-nomad-token"];
  const token = (typeof given === "string" ? given : (given?.[0] ?? "")).trim();
  return token || bearer.exec(request.headers.authorization ?? "")?.[1] || undefined;
}

/** Without access control whoever reaches the agent may do everything; who reaches it is the gate's part. */
export class OpenAuthority implements Authority {
  readonly #identity: Identity = { kind: "local", accessor: "", name: "", acl: managementAcl, expires: null };
  readonly #warden: Warden = { again: (identity) => identity, guard: () => () => {} };

  callerOf(request: IncomingMessage): Caller {
    return new Caller(this.#identity, addressOf(request), this.#warden);
  }

  close(): void {}
}

interface Watched {
  readonly identity: Identity;
  readonly check: () => void;
  readonly end: () => void;
}

export interface AclAuthorityDeps {
  readonly resolver: AclResolver;
  readonly attempts: AttemptLimit;
  /** Roles by the common name of a client's certificate. */
  readonly certificateRoles: Readonly<Record<string, string>>;
  readonly watch: StateWatch;
  readonly clock: Clock;
}

/** With access control: by token, else by certificate, else anonymous. */
export class AclAuthority implements Authority, Warden {
  readonly #deps: AclAuthorityDeps;
  readonly #watched = new Set<Watched>();
  readonly #unsubscribe: () => void;

  constructor(deps: AclAuthorityDeps) {
    this.#deps = deps;
    this.#unsubscribe = deps.watch.subscribe((changes) => {
      if (changes.some(({ kind }) => kind === "acl")) this.#recheck();
    });
  }

  callerOf(request: IncomingMessage, handshake?: string): Caller {
    const address = addressOf(request);
    const token = tokenOf(request);
    if (handshake !== undefined && handshake !== "" && token !== undefined && handshake !== token)
      throw new AllocdError("invalid", "handshake auth token mismatched auth header token");
    return new Caller(this.#identityOf(request, token ?? (handshake || undefined), address), address, this);
  }

  again(identity: Identity): Identity | undefined {
    return this.#deps.resolver.again(identity);
  }

  guard(identity: Identity, check: () => void, end: () => void): () => void {
    const over = new AbortController();
    const stop = (): void => {
      over.abort();
      this.#watched.delete(watched);
    };
    const watched: Watched = {
      identity,
      check,
      end: () => {
        if (over.signal.aborted) return;
        stop();
        end();
      },
    };
    this.#watched.add(watched);
    if (identity.expires !== null) void this.#expire(identity.expires, watched, over.signal);
    return stop;
  }

  close(): void {
    this.#unsubscribe();
    this.#watched.clear();
  }

  /** How many requests are watched over. */
  get watching(): number {
    return this.#watched.size;
  }

  #identityOf(request: IncomingMessage, token: string | undefined, address: string): Identity {
    const { resolver, attempts } = this.#deps;
    if (token === undefined) return this.#ofCertificate(request) ?? resolver.anonymous();
    const identity = resolver.bySecret(token);
    if (identity === "expired") throw new BadToken("ACL token expired");
    attempts.tried(address, identity?.accessor);
    if (identity === undefined) throw new BadToken("ACL token not found");
    return identity;
  }

  #ofCertificate(request: IncomingMessage): Identity | undefined {
    const name = certificateName(request.socket);
    const role = name === undefined || !Object.hasOwn(this.#deps.certificateRoles, name) ? undefined : this.#deps.certificateRoles[name];
    return name === undefined || role === undefined ? undefined : this.#deps.resolver.ofCertificate(name, role);
  }

  async #expire(at: bigint, watched: Watched, over: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    // The wall clock may be set meanwhile, so what is left is looked at again.
    while (!over.aborted) {
      const left = Number((at - clock.now()) / 1_000_000n);
      if (left < 0) return watched.end();
      await clock.sleep(Math.min(left + 1, 60_000), over);
    }
  }

  #recheck(): void {
    for (const watched of [...this.#watched]) {
      try {
        watched.check();
      } catch {
        watched.end();
      }
    }
  }
}
