import { readFileSync } from "node:fs";
import { AclService } from "../agent/acl/acl-service.js";
import { AclResolver } from "../agent/acl/resolver.js";
import { writeTokenFile } from "../agent/acl/token-file.js";
import { AuditLog } from "../agent/audit/audit-log.js";
import type { Clock } from "../agent/clock.js";
import { ConfigError } from "../agent/config/config-error.js";
import type { Config } from "../agent/config/schema.js";
import type { Logger } from "../agent/log.js";
import type { StateStore } from "../agent/store/state-store.js";
import { AttemptLimit } from "../api/acl/attempt-limit.js";
import { AclAuthority, type Authority, OpenAuthority } from "../api/acl/authority.js";
import { type Gate, PeerGate } from "../api/acl/peer-gate.js";
import { PeerHelper } from "../api/acl/peer-helper.js";
import { PeerUids } from "../api/acl/peer-uid.js";
import { TlsError, TlsServer } from "../api/tls-server.js";

/** What keeps out who does not belong. */
export interface Security {
  readonly authority: Authority;
  readonly acl: AclService | undefined;
  readonly gate: Gate | undefined;
  readonly audit: AuditLog | undefined;
  readonly tls: TlsServer | undefined;
  close(): Promise<void>;
}

interface Deps {
  readonly config: Config;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws ConfigError for a file that can not be used. */
export async function makeSecurity({ config, store, clock, log }: Deps): Promise<Security> {
  const { acl: settings, tls } = config;
  const audit = config.audit.enabled ? openAudit(config, clock, log) : undefined;
  const acl = settings.enabled
    ? new AclService({
        store,
        clock,
        log,
        options: {
          minTtlNs: settings.token_min_expiration_ttl * 1e6,
          maxTtlNs: settings.token_max_expiration_ttl * 1e6,
          dataDir: config.data_dir,
        },
      })
    : undefined;
  if (acl && settings.bootstrap_token_file !== "") await bootstrap(acl, store, settings.bootstrap_token_file, log);
  const authority = acl ? aclAuthority(config, store, clock) : new OpenAuthority();
  const isMutual = tls.http && tls.verify_https_client;
  if (settings.enabled && !tls.http && !/^(localhost|127\.|::1$)/.test(config.bind_addr))
    log.warn({ bindAddr: config.bind_addr }, "tokens cross the network unencrypted: tls.http is false");
  const helper = new PeerHelper();
  return {
    authority,
    acl,
    // Only root and the agent's own user, where nothing else tells who is who.
    gate: acl || isMutual ? undefined : new PeerGate([0, process.getuid?.() ?? 0], new PeerUids(helper)),
    audit,
    tls: tls.http ? tlsServer(config) : undefined,
    close: async () => {
      authority.close();
      helper.close();
      await audit?.close();
    },
  };
}

function aclAuthority({ acl, tls }: Config, store: StateStore, clock: Clock): AclAuthority {
  return new AclAuthority({
    resolver: new AclResolver({ store, clock, options: { tokenTtlMs: acl.token_ttl, policyTtlMs: acl.policy_ttl } }),
    attempts: new AttemptLimit(clock, { maxFailures: acl.max_failed_attempts, windowMs: 60_000 }),
    certificateRoles: tls.client_roles,
    watch: store.watch,
    clock,
  });
}

function openAudit({ audit }: Config, clock: Clock, log: Logger): AuditLog {
  const { path, delivery_guarantee: guarantee, rotate_bytes: rotateBytes, rotate_max_files: maxFiles } = audit;
  try {
    return new AuditLog({ clock, log, options: { path, guarantee, rotateBytes, maxFiles } });
  } catch (error) {
    throw new ConfigError(`audit.path: got "${path}": ${(error as Error).message}`, { cause: error });
  }
}

function tlsServer({ tls }: Config): TlsServer {
  return new TlsServer({
    certFile: tls.cert_file,
    keyFile: tls.key_file,
    caFile: tls.ca_file,
    verifyClients: tls.verify_https_client,
    minVersion: tls.tls_min_version === "tls13" ? "TLSv1.3" : "TLSv1.2",
  });
}

/** The file is written before anything is committed, so that a crash between the two leaves no token that nobody knows. */
async function bootstrap(acl: AclService, store: StateStore, path: string, log: Logger): Promise<void> {
  if (store.acl.bootstrapIndex !== 0) return;
  try {
    await acl.bootstrap(writtenSecret(path));
  } catch (error) {
    throw new ConfigError(`acl.bootstrap_token_file: got "${path}": ${(error as Error).message}`, { cause: error });
  }
  log.info({ path }, "the management token is in its file");
}

/** One that an earlier start has written and not got to use, or that an operator has put there, counts. */
function writtenSecret(path: string): string {
  try {
    const secret = readFileSync(path, "utf8").trim();
    if (secret !== "") return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return writeTokenFile(path);
}

/** Errors of certificates are the operator's to put right. */
export const asConfigError = (error: unknown): unknown =>
  error instanceof TlsError ? new ConfigError(error.message, { cause: error }) : error;

/** As the API wants it. */
export const protection = ({ authority, acl, gate, audit, tls }: Security) => ({
  authority,
  ...(acl && { acl }),
  ...(gate && { gate }),
  ...(audit && { audit }),
  ...(tls && { makeServer: tls.make }),
});

/** @returns a function that ends it. */
export function reloadOnHangup(tls: TlsServer, log: Logger): () => void {
  const reload = (): void => {
    try {
      tls.reload();
      log.info("the certificate was read again");
    } catch (error) {
      log.error({ err: error }, "the certificate can not be read again; the one before goes on");
    }
  };
  process.on("SIGHUP", reload);
  return () => process.off("SIGHUP", reload);
}
