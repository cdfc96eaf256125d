import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import pino from "pino";
import { AclService } from "../../agent/acl/acl-service.js";
import { tokenFromApi } from "../../agent/acl/intake.js";
import { AclResolver } from "../../agent/acl/resolver.js";
import { RulesReader } from "../../agent/acl/rules-reader.js";
import { type Clock, SystemClock } from "../../agent/clock.js";
import { MemoryStore } from "../../agent/store/memory-store.js";
import { Keyring } from "../../agent/vars/keyring.js";
import { Variables } from "../../agent/vars/variables.js";
import { AttemptLimit } from "../acl/attempt-limit.js";
import { AclAuthority } from "../acl/authority.js";
import type { ApiDeps } from "../deps.js";
import { type Fixture, startApi } from "./fixture.js";

export interface AclFixture extends Fixture {
  readonly acl: AclService;
  readonly authority: AclAuthority;
  /** The secret of a management token. */
  readonly management: string;
  /** @param rules as JSON. @returns the secret of a client token that has them. */
  token(rules: object, more?: object): Promise<{ readonly secret: string; readonly accessor: string }>;
  /** Headers of a token. */
  as(secret: string): { readonly headers: { readonly "X-Nomad-Token": string } };
}

export interface AclFixtureOptions {
  readonly maxFailures?: number;
  readonly clock?: Clock;
}

/** An API with access control on, and its first management token made. */
export async function startAclApi(
  { maxFailures = 0, clock = new SystemClock() }: AclFixtureOptions = {},
  more: (store: MemoryStore) => Partial<ApiDeps> = () => ({}),
): Promise<AclFixture> {
  const log = pino({ level: "silent" });
  const store = new MemoryStore({ clock, log });
  const worker = join(resolve(import.meta.dirname, "../.."), "dist/agent/hcl/worker.js");
  const options = { minTtlNs: 1e6, maxTtlNs: 1e15, dataDir: join(tmpdir(), "allocd-no-such-directory") };
  const acl = new AclService({ store, clock, log, rules: new RulesReader(pathToFileURL(worker)), options });
  const authority = new AclAuthority({
    resolver: new AclResolver({ store, clock, options: { tokenTtlMs: 30_000, policyTtlMs: 30_000 } }),
    attempts: new AttemptLimit(clock, { maxFailures, windowMs: 60_000 }),
    certificateRoles: {},
    watch: store.watch,
    clock,
  });
  const { secret: management } = await acl.bootstrap();
  const keys = mkdtempSync(join(tmpdir(), "allocd-acl-keys-"));
  mkdirSync(join(keys, "state"));
  const variables = new Variables({ store, keyring: Keyring.open(keys), options: { maxVariables: 100 } });
  const api = await startApi({ store, acl, authority, clock, variables, ...more(store) });
  let count = 0;
  return {
    ...api,
    store,
    acl,
    authority,
    management,
    commit: (...changes) => store.commit(changes),
    async token(rules, members = {}) {
      const Name = `p${++count}`;
      await acl.putPolicy({ Name, Description: "", Rules: JSON.stringify(rules) });
      const { token, secret } = await acl.createToken(tokenFromApi({ Name, Policies: [Name], ...members }));
      return { secret, accessor: token.AccessorID };
    },
    as: (secret) => ({ headers: { "X-Nomad-Token": secret } }),
    close: async () => {
      authority.close();
      rmSync(keys, { recursive: true, force: true });
      await api.close();
      await store.close();
    },
  };
}
