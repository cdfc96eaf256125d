import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import type { z } from "zod";
import { describe } from "../model/invalid-field.js";
import { nearest } from "../model/nearest.js";
import { ConfigError } from "./config-error.js";
import { defaultRuntimeDir } from "./runtime-dir.js";
import { type Config, configSchema } from "./schema.js";
import { type Setting, settings } from "./settings.js";

export interface ConfigSources {
  /** The file of --config; else ALLOCD_CONFIG names it, else there is none. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Values of the command line by their flag, such as `{ "--port": "4646" }`. Absent and undefined are the same. */
  readonly flags?: Readonly<Partial<Record<ConfigFlag, string | undefined>>>;
}

export type ConfigFlag = keyof typeof FLAGS;

/** The settings that have a flag. */
const FLAGS = { "--bind": "bind_addr", "--port": "port", "--data-dir": "data_dir" } as const;

/** Variables of our prefix that are no settings: the file, what the command line client reads, and the mark of a task, which an agent in a task has too. */
const OTHER_VARIABLES = [
  "ALLOCD_CONFIG",
  "ALLOCD_ADDR",
  "ALLOCD_TOKEN",
  "ALLOCD_TOKEN_FILE",
  "ALLOCD_NAMESPACE",
  "ALLOCD_RUN",
  "ALLOCD_SESSION",
];

type Raw = Record<string, unknown>;
/** Where each value came from, as a refusal names it. */
type Origins = Map<string, string>;

/**
 * The configuration from flags over ALLOCD_* variables over the file over defaults. Reads the file and nothing else.
 *
 * @throws ConfigError, one line, for a file that can not be read, an unknown setting or a value that is not accepted.
 */
export function loadConfig(sources: ConfigSources): Config {
  const env = sources.env ?? {};
  const file = sources.file ?? (env.ALLOCD_CONFIG || undefined);
  const raw = file === undefined ? {} : readFile(file);
  const place = (path: string): string => (file === undefined ? path : `${file}: ${path}`);
  // The file has to be right by itself, or a mistake in it would show only once a variable is gone.
  if (file !== undefined) check(raw, new Map(), place);
  const origins: Origins = new Map();
  for (const [variable, given] of Object.entries(env)) {
    if (given === undefined || !variable.startsWith("ALLOCD_") || OTHER_VARIABLES.includes(variable)) continue;
    const setting = settings().find((s) => s.variable === variable);
    if (!setting)
      throw new ConfigError(
        `${variable}: no such setting${suggestion(variable, [...settings().map((s) => s.variable), ...OTHER_VARIABLES])}`,
      );
    put(raw, origins, setting, given, variable);
  }
  for (const [name, given] of Object.entries(sources.flags ?? {})) {
    const setting = settings().find((s) => s.path.length === 1 && s.path[0] === FLAGS[name as ConfigFlag]);
    if (given !== undefined && setting) put(raw, origins, setting, given, name);
  }
  return complete(check(raw, origins, place), origins, place);
}

function readFile(file: string): Raw {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${file}: can not be read: ${(error as Error).message}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${file}:${position(text, error as Error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ConfigError(`${file}: got ${describe(value)}, want an object`);
  return value as Raw;
}

/** "line:column: what is wrong". The engine tells an offset, or nothing at the end of the text. */
function position(text: string, error: Error): string {
  const offset = /at position (\d+)/.exec(error.message)?.[1];
  const before = text.slice(0, offset === undefined ? text.trimEnd().length : Number(offset)).split("\n");
  const reason = error.message.replace(/ ?(in JSON)? at position \d+.*$/s, "").replace(/,? ?"[^"]*"(\.\.\.)? is not valid JSON$/s, "");
  return `${before.length}:${(before.at(-1) ?? "").length + 1}: no JSON: ${reason.replaceAll("\n", " ")}`;
}

function put(raw: Raw, origins: Origins, setting: Setting, given: string, origin: string): void {
  let parent = raw;
  for (const key of setting.path.slice(0, -1)) {
    parent[key] = { ...(parent[key] as Raw | undefined) };
    parent = parent[key] as Raw;
  }
  parent[setting.path.at(-1) ?? ""] = fromText(setting, given);
  origins.set(setting.path.join("."), origin);
}

/** A text that does not fit the setting's type stays a text, so that the check refuses what was really given. */
function fromText(setting: Setting, given: string): unknown {
  if (setting.schema.type === "string") return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

function check(raw: Raw, origins: Origins, place: (path: string) => string): z.output<typeof configSchema> {
  const result = configSchema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (!issue) throw new ConfigError("the configuration is refused");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0] ?? "";
    const path = [...issue.path, key].join(".");
    const siblings = settings()
      .filter((s) => issue.path.every((part, i) => s.path[i] === part))
      .map((s) => s.path[issue.path.length] ?? "");
    throw new ConfigError(`${place(path)}: no such setting${suggestion(key, [...new Set(siblings)])}`);
  }
  const path = issue.path.join(".");
  const given = issue.path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], raw);
  throw new ConfigError(refusal(path, given, issue.message, origins, place));
}

function refusal(path: string, given: unknown, want: string, origins: Origins, place: (path: string) => string): string {
  const origin = [...origins].find(([known]) => path === known || path.startsWith(`${known}.`))?.[1];
  return `${origin ?? place(path || "the top")}: got ${describe(given)}, want ${want}`;
}

/** What no single setting can tell by itself. */
function complete(config: z.output<typeof configSchema>, origins: Origins, place: (path: string) => string): Config {
  const refuse = (path: string, given: unknown, want: string): never => {
    throw new ConfigError(refusal(path, given, want, origins, place));
  };
  const { tls } = config;
  const isMutual = tls.http && tls.verify_https_client;
  if (!isLoopback(config.bind_addr) && !config.acl.enabled && !isMutual) {
    refuse(
      "bind_addr",
      config.bind_addr,
      "a loopback address: beyond it acl.enabled, or tls.http with tls.verify_https_client, has to be true, or anybody could run commands here",
    );
  }
  if (tls.http && tls.cert_file === "") refuse("tls.cert_file", "", "a file: tls.http is true");
  if (tls.http && tls.key_file === "") refuse("tls.key_file", "", "a file: tls.http is true");
  if (tls.verify_https_client && !tls.http) refuse("tls.verify_https_client", true, "false: tls.http is false");
  if (tls.verify_https_client && tls.ca_file === "") refuse("tls.ca_file", "", "a file: tls.verify_https_client is true");
  if (Object.keys(tls.client_roles).length > 0 && !(config.acl.enabled && isMutual))
    refuse("tls.client_roles", tls.client_roles, "none: they count only with acl.enabled, tls.http and tls.verify_https_client");
  const { token_min_expiration_ttl: least, token_max_expiration_ttl: most } = config.acl;
  if (least > most) refuse("acl.token_min_expiration_ttl", least, `at most acl.token_max_expiration_ttl, which is ${most} ms`);
  if (config.audit.enabled && config.audit.path === "") refuse("audit.path", "", "a file: audit.enabled is true");
  for (const origin of config.http.allowed_origins)
    if (!/^https?:\/\/[^/\s]+$/.test(origin)) refuse("http.allowed_origins", origin, "origins such as https://ops.example");
  const { min_dynamic_port: min, max_dynamic_port: max } = config.client;
  if (min > max) refuse("client.min_dynamic_port", min, `at most client.max_dynamic_port, which is ${max}`);
  const { wait_min: waitMin, wait_max: waitMax } = config.client.template;
  if (waitMin > waitMax) refuse("client.template.wait_min", `${waitMin}ms`, `at most client.template.wait_max, which is ${waitMax}ms`);
  if (config.data_dir === "") refuse("data_dir", "", "a directory");
  const { $schema: _, ...rest } = config;
  const dataDir = resolve(config.data_dir);
  const inData = (path: string): string => (path === "" ? "" : resolve(dataDir, path));
  return {
    ...rest,
    unix_socket: { ...config.unix_socket, path: inData(config.unix_socket.path) },
    acl: { ...config.acl, bootstrap_token_file: inData(config.acl.bootstrap_token_file) },
    audit: { ...config.audit, path: inData(config.audit.path) },
    data_dir: dataDir,
    runtime_dir: config.runtime_dir === "" ? defaultRuntimeDir(dataDir) : resolve(config.runtime_dir),
  };
}

const isLoopback = (address: string): boolean =>
  address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));

function suggestion(word: string, candidates: readonly string[]): string {
  const close = nearest(word, candidates);
  return close === undefined ? `, want one of ${candidates.join(", ")}` : `, did you mean ${close}?`;
}
