import { refused } from "./artifact-error.js";

/** Where an artifact comes from, as go-getter's sources say it: `getter::url//subdirectory?option=value`. */
export interface Source {
  readonly getter: "http" | "s3" | "git" | "file";
  readonly url: URL;
  /** A directory within what is fetched; empty for all of it. */
  readonly subdirectory: string;
  /** What is said about the fetching, and is not part of the URL. */
  readonly options: Readonly<Record<string, string>>;
}

/** Parameters that are never sent. */
const common = ["archive", "checksum", "filename"];
const ofGetter: Readonly<Record<Source["getter"], readonly string[]>> = {
  http: [],
  file: [],
  git: ["ref", "depth", "sshkey"],
  s3: ["aws_access_key_id", "aws_access_key_secret", "aws_access_token", "aws_profile", "region", "version"],
};

const getters: Readonly<Record<string, Source["getter"]>> = {
  http: "http",
  https: "http",
  s3: "s3",
  git: "git",
  ssh: "git",
  file: "file",
};

/**
 * Reads a source.
 *
 * @param given with its references replaced.
 * @param more options beside those in its query; they win.
 * @throws ArtifactError that names what is wrong or not supported.
 */
export function parseSource(given: string, more: Readonly<Record<string, string>> = {}): Source {
  const [, forced, rest = given] = /^([A-Za-z0-9]+)::(.+)$/s.exec(given.trim()) ?? [];
  const [address, subdirectory] = splitSubdirectory(rest.trim());
  const detected = detect(address, forced);
  const url = parseUrl(detected.address);
  const scheme = url.protocol.slice(0, -1);
  const name = forced ?? detected.getter ?? scheme;
  const getter = getters[name];
  if (getter === undefined) throw refused(`"${name}" is not supported, want one of http, https, s3, git, file`);
  checkScheme(getter, scheme);
  const options: Record<string, string> = {};
  for (const name of [...common, ...ofGetter[getter]]) {
    const value = more[name] ?? url.searchParams.get(name);
    if (value !== null && value !== "") options[name] = value;
    url.searchParams.delete(name);
  }
  for (const [name, value] of Object.entries(more)) {
    if (options[name] === undefined && !common.includes(name)) url.searchParams.append(name, value);
  }
  if (options.aws_profile !== undefined)
    throw refused("the option aws_profile is not supported, want aws_access_key_id and aws_access_key_secret");
  return { getter, url, subdirectory, options };
}

/** The source without passwords and parameters, for events and logs. */
export function showSource(given: string): string {
  const [plain = ""] = given.split("?", 1);
  return plain.replace(/\/\/[^/@]*:[^/@]*@/, "//");
}

interface Detected {
  readonly address: string;
  readonly getter?: string;
}

/** Addresses that people write without a scheme. */
function detect(address: string, forced: string | undefined): Detected {
  const ssh = /^([\w.-]+@[\w.-]+):([^/].*)$/s.exec(address);
  if (ssh) return { address: `ssh://${ssh[1]}/${ssh[2]}`, getter: "git" };
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(address)) return { address };
  if (address.startsWith("/")) return { address: `file://${address}` };
  const forge = /^((?:github|gitlab)\.com|bitbucket\.org)\/([^/?]+)\/([^/?]+?)(?:\.git)?(\?.*)?$/s.exec(address);
  if (forge) return { address: `https://${forge[1]}/${forge[2]}/${forge[3]}.git${forge[4] ?? ""}`, getter: "git" };
  if (/^(?:[^/]+\.)?s3[.-](?:[^/]+\.)?amazonaws\.com\//.test(address)) return { address: `https://${address}`, getter: "s3" };
  if (forced === "git" || forced === "s3") return { address: `https://${address}` };
  throw refused("want a URL with a scheme, such as https://");
}

function splitSubdirectory(address: string): readonly [address: string, subdirectory: string] {
  const [path = "", query] = address.split(/\?(.*)/s, 2);
  const scheme = path.indexOf("://");
  const start = scheme < 0 ? 1 : scheme + 3;
  const at = path.indexOf("//", start);
  if (at < 0) return [address, ""];
  const subdirectory = path.slice(at + 2).replace(/\/+$/, "");
  if (subdirectory.split("/").includes("..")) throw refused(`the subdirectory ${JSON.stringify(subdirectory)} leads out of the source`);
  return [path.slice(0, at) + (query === undefined ? "" : `?${query}`), subdirectory];
}

function parseUrl(address: string): URL {
  try {
    return new URL(address);
  } catch {
    throw refused("it is no URL");
  }
}

function checkScheme(getter: Source["getter"], scheme: string): void {
  const accepted = { http: ["http", "https"], s3: ["http", "https"], git: ["http", "https", "ssh", "git", "file"], file: ["file"] }[getter];
  if (!accepted.includes(scheme)) throw refused(`${scheme}: is not supported with ${getter}, want one of ${accepted.join(", ")}`);
}
