import { existsSync, readFileSync } from "node:fs";
import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";

/** How a command reaches the agent. */
export interface ConnectFlags {
  /** http://, https:// or unix:///path/of/the.sock */
  readonly address: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/** Where a packaged agent writes its management token. */
const DEFAULT_TOKEN_FILE = "/var/lib/allocd/management.token";

type Environment = Readonly<Record<string, string | undefined>>;

/** Reaches the agent: over TCP, TLS or a local socket, with the caller's token. */
export class AgentClient {
  readonly #address: URL;
  readonly #given: string;
  readonly #token: string | undefined;
  readonly #tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };

  /** @throws Error that names what can not be read. */
  constructor(flags: ConnectFlags, env: Environment = process.env) {
    this.#given = flags.address;
    this.#address = parseAddress(flags.address);
    this.#token = tokenOf(flags, env);
    const file = (variable: string): Buffer | undefined => (env[variable] ? readFileSync(env[variable]) : undefined);
    const [ca, cert, key] = [file("NOMAD_CACERT"), file("NOMAD_CLIENT_CERT"), file("NOMAD_CLIENT_KEY")];
    this.#tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  }

  /** The body of a GET. @throws Error for any status but 200, with what the agent said. */
  get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = this.#address.protocol === "https:" ? httpsRequest : httpRequest;
      const outgoing = request({ ...this.#target(), path, agent: false, headers: this.headers }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8");
          if (incoming.statusCode === 200) resolve(text);
          else reject(new Error(text || `the agent answered ${incoming.statusCode}`));
        });
      });
      outgoing.on("error", (error: Error) => reject(new Error(`${this.#given} does not answer: ${error.message || String(error)}`)));
      outgoing.end();
    });
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#token === undefined ? {} : { "X-Nomad-Token": this.#token };
  }

  /** For a WebSocket: its URL and what else it needs to get there. */
  socket(path: string): { readonly url: string; readonly options: RequestOptions } {
    const { protocol, host } = this.#address;
    const url =
      protocol === "unix:" ? `ws+unix:${this.#address.pathname}:${path}` : `${protocol === "https:" ? "wss" : "ws"}://${host}${path}`;
    return { url, options: { headers: this.headers, ...this.#tls } };
  }

  #target(): RequestOptions {
    const { protocol, hostname, port, pathname } = this.#address;
    if (protocol === "unix:") return { socketPath: pathname, host: "localhost" };
    return { host: hostname.replace(/^\[|\]$/g, ""), port, ...this.#tls };
  }
}

function parseAddress(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url && ["http:", "https:", "unix:"].includes(url.protocol)) return url;
  throw new Error(`--address: got "${given}", want http://..., https://... or unix:///path`);
}

/** --token, ALLOCD_TOKEN, NOMAD_TOKEN, --token-file, ALLOCD_TOKEN_FILE, and a packaged agent's file if it can be read. */
function tokenOf(flags: ConnectFlags, env: Environment): string | undefined {
  const given = flags.token || env.ALLOCD_TOKEN || env.NOMAD_TOKEN;
  if (given) return given;
  const file = flags.tokenFile || env.ALLOCD_TOKEN_FILE;
  if (file) return readFileSync(file, "utf8").trim() || undefined;
  try {
    return existsSync(DEFAULT_TOKEN_FILE) ? readFileSync(DEFAULT_TOKEN_FILE, "utf8").trim() || undefined : undefined;
  } catch {
    // It is root's, and the agent may well let this caller in without it.
    return undefined;
  }
}
