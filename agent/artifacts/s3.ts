import aws4 from "aws4";
import { refused } from "./artifact-error.js";
import type { Source } from "./source.js";

interface Bucket {
  readonly origin: string;
  readonly bucket: string;
  readonly key: string;
  /** Whether the bucket is part of the path, and not of the host. */
  readonly isInPath: boolean;
  readonly region: string;
}

/**
 * Which object of which bucket a URL means: `s3.amazonaws.com/bucket/key`, `bucket.s3.region.amazonaws.com/key`, or
 * `host/bucket/key` of another service with the same API.
 *
 * @throws ArtifactError
 */
export function bucketOf({ url, options }: Source): Bucket {
  const { hostname, origin } = url;
  const path = decodeURIComponent(url.pathname).replace(/^\/+/, "");
  const amazon = /^(?:(.+)\.)?s3(?:[.-](?!amazonaws)([a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?$/.exec(hostname);
  const region = options.region ?? amazon?.[2] ?? "us-east-1";
  const [first = "", ...rest] = path.split("/");
  const found = amazon?.[1]
    ? { origin, bucket: amazon[1], key: path, isInPath: false, region }
    : { origin, bucket: first, key: rest.join("/"), isInPath: true, region };
  if (found.bucket === "" || found.key === "") throw refused("want the URL of an object: its bucket and its key");
  return found;
}

/** The URL of an object. */
export function objectUrl({ origin, bucket, isInPath }: Bucket, key: string, version?: string): URL {
  const path = key.split("/").map(encodeURIComponent).join("/");
  const url = new URL(`${origin}/${isInPath ? `${bucket}/` : ""}${path}`);
  if (version !== undefined) url.searchParams.set("versionId", version);
  return url;
}

/** The URL that lists the objects below a prefix. */
export function listUrl({ origin, bucket, isInPath, key }: Bucket, continuation: string | undefined): URL {
  const url = new URL(`${origin}/${isInPath ? bucket : ""}`);
  url.searchParams.set("list-type", "2");
  url.searchParams.set("prefix", key.endsWith("/") ? key : `${key}/`);
  if (continuation !== undefined) url.searchParams.set("continuation-token", continuation);
  return url;
}

/** The headers that a request is signed with; none without credentials. */
export function signedHeaders(url: URL, { options }: Source, region: string): Readonly<Record<string, string>> {
  const { aws_access_key_id: accessKeyId, aws_access_key_secret: secretAccessKey, aws_access_token: sessionToken } = options;
  if (accessKeyId === undefined && secretAccessKey === undefined) return {};
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw refused("want both aws_access_key_id and aws_access_key_secret, or neither");
  // The query has to be in the one form that both sides sign.
  const path = `${url.pathname}${url.search.replaceAll("+", "%20")}`;
  const request = { host: url.host, path, method: "GET", service: "s3", region, headers: {} };
  const { headers = {} } = aws4.sign(request, { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) });
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Keys of a list, and where the next one begins. */
export function readList(xml: string): { readonly keys: readonly string[]; readonly next: string | undefined } {
  const keys = [...xml.matchAll(/<Contents>[\s\S]*?<Key>([^<]*)<\/Key>[\s\S]*?<\/Contents>/g)].map(([, key = ""]) => unescapeXml(key));
  const isTruncated = /<IsTruncated>true<\/IsTruncated>/.test(xml);
  const next = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(xml)?.[1];
  return { keys, next: isTruncated && next !== undefined ? unescapeXml(next) : undefined };
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

const unescapeXml = (text: string): string =>
  text.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex?: string, decimal?: string, name?: string) => {
    const code = hex !== undefined ? Number.parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : undefined;
    return code === undefined ? (entities[name ?? ""] ?? whole) : String.fromCodePoint(code);
  });
