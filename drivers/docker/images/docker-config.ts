import { readFile } from "node:fs/promises";

/** What a Docker client's config file says of credentials. */
export interface DockerConfig {
  readonly auths: ReadonlyMap<string, StoredAuth>;
  /** By registry. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** Of all registries that have none of their own; "" is none. */
  readonly credsStore: string;
}

export interface StoredAuth {
  readonly username: string;
  readonly password: string;
  readonly identityToken: string;
}

/** @throws Error that names the file, and what is wrong in it, without a word of its contents. */
export async function readDockerConfig(path: string): Promise<DockerConfig> {
  const text = await readFile(path, "utf8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own message would quote the file.
    throw new Error(`${path} is no JSON`);
  }
  const config = object(parsed, path);
  const credsStore = config.credsStore ?? "";
  if (typeof credsStore !== "string") throw new Error(`${path}: credsStore is no string`);
  return {
    auths: new Map(entries(config.auths, path, "auths").map(([server, auth]) => [registryOf(server), storedAuth(auth, `${path}: auths`)])),
    credHelpers: new Map(
      entries(config.credHelpers, path, "credHelpers").map(([server, helper]) => {
        if (typeof helper !== "string") throw new Error(`${path}: credHelpers: what ${server} has is no string`);
        return [registryOf(server), helper];
      }),
    ),
    credsStore,
  };
}

/** Entries are named by host, or by the URL that older clients wrote. */
export function registryOf(server: string): string {
  const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

function storedAuth(value: unknown, where: string): StoredAuth {
  const { auth = "", username = "", password = "", identitytoken = "" } = object(value, where);
  for (const field of [auth, username, password, identitytoken])
    if (typeof field !== "string") throw new Error(`${where}: a field is no string`);
  const identityToken = identitytoken as string;
  if (auth === "") return { username: username as string, password: password as string, identityToken };
  const pair = Buffer.from(auth as string, "base64").toString();
  const colon = pair.indexOf(":");
  if (colon < 0) throw new Error(`${where}: an auth is no base64 of user:password`);
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, ""), identityToken };
}

function entries(value: unknown, path: string, field: string): [string, unknown][] {
  return value === undefined || value === null ? [] : Object.entries(object(value, `${path}: ${field}`));
}

function object(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where} is no object`);
  return value as Readonly<Record<string, unknown>>;
}
