import type { AuthConfig } from "./auth-config.js";
import { askCredentialHelper, type Environment } from "./credential-helper.js";
import { readDockerConfig, registryOf } from "./docker-config.js";
import { defaultRegistry } from "./image-reference.js";

/** What a task says. */
export interface TaskAuth {
  readonly username: string;
  readonly password: string;
  readonly email?: string;
  readonly serverAddress?: string;
}

export interface AuthSources {
  /** Path of a Docker client's config file; "" is none. */
  readonly config: string;
  /** The name of a credential helper for all registries; "" is none. */
  readonly helper: string;
  /** Of the helpers. */
  readonly env: Environment;
}

/** What clients and helpers call the default registry. */
const defaultServer = "https://index.docker.io/v1/";

/**
 * The credentials for a registry: the task's own, else those of the config file, else those of the helper.
 * Source: reference behaviour §6.4.
 *
 * @param registry such as "docker.io" or "registry:5000".
 * @returns undefined when there are none.
 * @throws Error when they can not be had, without a word of any secret.
 */
export async function findAuth(registry: string, task: TaskAuth | undefined, sources: AuthSources): Promise<AuthConfig | undefined> {
  const server = registry === defaultRegistry ? defaultServer : registry;
  if (task && (task.username !== "" || task.password !== "")) {
    const { username, password, email = "", serverAddress = "" } = task;
    return { username, password, ...(email !== "" && { email }), serveraddress: serverAddress || server };
  }
  const stored = sources.config === "" ? undefined : await fromConfig(sources, registry, server);
  if (stored) return stored;
  return sources.helper === "" ? undefined : askCredentialHelper(sources.helper, server, sources.env);
}

async function fromConfig(sources: AuthSources, registry: string, server: string): Promise<AuthConfig | undefined> {
  const { auths, credHelpers, credsStore } = await readDockerConfig(sources.config);
  const host = registryOf(registry);
  const helper = credHelpers.get(host) ?? credsStore;
  const asked = helper === "" ? undefined : await askCredentialHelper(helper, server, sources.env);
  if (asked) return asked;
  const auth = auths.get(host);
  if (!auth) return undefined;
  if (auth.identityToken !== "") return { identitytoken: auth.identityToken, serveraddress: server };
  // A client that keeps its passwords in a store writes entries without any.
  return auth.username === "" ? undefined : { username: auth.username, password: auth.password, serveraddress: server };
}
