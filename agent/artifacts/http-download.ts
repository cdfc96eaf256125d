import { createWriteStream } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ArtifactError, refused } from "./artifact-error.js";

export interface Download {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the server's certificate is not checked. */
  readonly insecure: boolean;
  /** Bytes. */
  readonly maxBytes: number;
  /** Milliseconds without a byte. */
  readonly stallMs: number;
  /** Told the bytes so far, and how many there will be where the server says so. */
  readonly progress: (bytes: number, total: number | undefined) => void;
  readonly signal: AbortSignal;
}

const maxRedirects = 10;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

/**
 * Fetches a URL into a new file.
 *
 * @throws ArtifactError: `retry` for what may pass by itself.
 */
export async function download(file: string, from: Download): Promise<void> {
  await withResponse(from, async (response) => {
    const declared = Number(response.headers["content-length"]);
    const total = Number.isSafeInteger(declared) ? declared : undefined;
    if (total !== undefined && total > from.maxBytes) throw refused(`it has ${total} bytes, want at most ${from.maxBytes}`);
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        from.progress(bytes, total);
        done(bytes > from.maxBytes ? refused(`it has more than ${from.maxBytes} bytes`) : null, chunk);
      },
    });
    await pipeline(response, counted, createWriteStream(file, { flags: "w", mode: 0o600 }), { signal: from.signal });
  });
}

/** Fetches a short text. @throws ArtifactError */
export async function downloadText(from: Download): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  await withResponse(from, async (response) => {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      if (bytes > from.maxBytes) throw refused(`it has more than ${from.maxBytes} bytes`);
      parts.push(chunk as Buffer);
    }
  });
  return Buffer.concat(parts).toString("utf8");
}

/** Follows redirects to a response with a body that is what was asked for. */
async function withResponse(from: Download, take: (response: IncomingMessage) => Promise<void>): Promise<void> {
  let { url, headers } = from;
  try {
    for (let hops = 0; ; hops++) {
      const response = await ask(url, headers, from);
      const status = response.statusCode ?? 0;
      const next = redirects.includes(status) ? response.headers.location : undefined;
      if (next === undefined) {
        if (status !== 200) throw badStatus(response);
        await take(response);
        return;
      }
      response.destroy();
      if (hops === maxRedirects) throw refused(`it redirects more than ${maxRedirects} times`);
      const target = redirected(url, next);
      // What was meant for one server is nothing for another.
      if (target.origin !== url.origin) headers = {};
      url = target;
    }
  } catch (error) {
    throw from.signal.aborted ? error : asArtifactError(error);
  }
}

function redirected(from: URL, location: string): URL {
  let url: URL;
  try {
    url = new URL(location, from);
  } catch {
    throw refused(`it redirects to ${JSON.stringify(location.slice(0, 200))}, which is no URL`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refused(`it redirects to ${url.protocol}, want http or https`);
  return url;
}

function ask(url: URL, headers: Readonly<Record<string, string>>, { insecure, stallMs, signal }: Download): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { method: "GET", headers: { "User-Agent": "allocd", ...headers }, agent: false as const, signal };
    const request =
      url.protocol === "https:" ? httpsRequest(url, { ...options, rejectUnauthorized: !insecure }) : httpRequest(url, options);
    // A request that is destroyed says of its response only that it was aborted.
    let current: { destroy(error: Error): unknown } = request;
    request.setTimeout(stallMs, () => void current.destroy(new ArtifactError(`no byte came for ${stallMs / 1000} s`, "retry")));
    request.once("error", reject);
    request.once("response", (response) => {
      response.once("error", () => {});
      current = response;
      resolve(response);
    });
    request.end();
  });
}

function badStatus(response: IncomingMessage): ArtifactError {
  const { statusCode = 0, headers } = response;
  response.destroy();
  const mayPass = statusCode >= 500 || statusCode === 429 || statusCode === 408;
  return new ArtifactError(`bad response code: ${statusCode}`, mayPass ? "retry" : "restart", {
    retryAfterMs: retryAfter(headers["retry-after"]),
  });
}

/** Seconds, or a date. */
function retryAfter(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** Certificates do not mend themselves in a moment; connections may. */
function asArtifactError(error: unknown): Error {
  if (error instanceof ArtifactError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  // The disk's errors are no mistake of the network's.
  if (["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EIO"].includes(code)) return new ArtifactError(message, "restart", { cause: error });
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code);
  return new ArtifactError(message || code, isCertificate ? "restart" : "retry", { cause: error });
}
