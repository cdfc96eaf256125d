import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import type { ServiceCheck } from "../model/job.js";
import { dialError, failure, hostPort, maxOutputBytes, type Probe, type ProbeResult, success, timeoutError } from "./probe.js";

/** As many redirects as Go's client follows. */
const maxRedirects = 10;
const userAgent = "allocd/check";

/** Asks over HTTP. Below 400 all is well. Source: reference behaviour §10. */
export function httpProbe(check: ServiceCheck, address: string, port: number): Probe {
  const method = (check.Method || "GET").toUpperCase();
  return async (signal) => {
    let url: URL;
    try {
      url = new URL(check.Path, `${check.Protocol || "http"}://${hostPort(address, port)}`);
    } catch {
      return failure(`nomad: Path: got ${JSON.stringify(check.Path)}, which is no path of a URL`);
    }
    let asked: Asked = { method, body: check.Body };
    for (let redirects = 0; ; redirects++) {
      const answer = await ask(url, asked, check, signal);
      const next = nextStep(answer, url, asked);
      if (!next) return resultOf(answer, `${capital(asked.method)} ${JSON.stringify(url.href)}`);
      if (redirects === maxRedirects)
        return failure(`nomad: ${capital(asked.method)} ${JSON.stringify(url.href)}: stopped after 10 redirects`);
      ({ url, asked } = next);
    }
  };
}

interface Asked {
  readonly method: string;
  readonly body: string;
}

type HttpAnswer =
  | { readonly error: Error; readonly at: string }
  | { readonly status: number; readonly location: string; readonly text: string };

async function ask(url: URL, { method, body }: Asked, check: ServiceCheck, signal: AbortSignal): Promise<HttpAnswer> {
  const isTls = url.protocol === "https:";
  const port = Number(url.port) || (isTls ? 443 : 80);
  const options: RequestOptions & { servername?: string; rejectUnauthorized?: boolean } = {
    method,
    // A connection of its own, that ends with the probe.
    agent: false,
    headers: { "User-Agent": userAgent, ...(body === "" ? {} : { "Content-Length": Buffer.byteLength(body) }), ...headersOf(check) },
    ...(isTls ? { rejectUnauthorized: !check.TLSSkipVerify, ...(check.TLSServerName && { servername: check.TLSServerName }) } : {}),
  };
  // Few hosts have a check over TLS: its module is big.
  const send = isTls ? (await import("node:https")).request : httpRequest;
  return new Promise((resolve) => {
    let request: ClientRequest;
    const end = (answer: HttpAnswer): void => {
      signal.removeEventListener("abort", late);
      request?.destroy();
      resolve(answer);
    };
    const fail = (error: Error): void => end({ error, at: hostPort(url.hostname.replace(/^\[(.*)\]$/, "$1"), port) });
    const late = (): void => fail(timeoutError());
    try {
      request = send(url, options, (response) => {
        void readStart(response, response.statusCode === 200 ? 0 : maxOutputBytes).then(
          (text) => end({ status: response.statusCode ?? 0, location: response.headers.location ?? "", text }),
          fail,
        );
      });
    } catch (error) {
      // A header that Node does not send.
      return fail(error as Error);
    }
    request.on("error", fail);
    signal.addEventListener("abort", late, { once: true });
    if (signal.aborted) return late();
    request.end(body);
  });
}

/** Some headers, such as Host, can not be a list even of one. */
const headersOf = ({ Header }: ServiceCheck): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(Header ?? {}).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : [...values]]));

/** The start of a body; of a longer one nothing more is read. */
async function readStart(response: IncomingMessage, bytes: number): Promise<string> {
  if (bytes === 0) return "";
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= bytes) break;
  }
  return Buffer.concat(chunks).subarray(0, bytes).toString("utf8");
}

/** Where a redirect leads. Only what a GET can do again is asked again with another method. */
function nextStep(answer: HttpAnswer, url: URL, asked: Asked): { readonly url: URL; readonly asked: Asked } | null {
  if (!("status" in answer) || answer.location === "" || ![301, 302, 303, 307, 308].includes(answer.status)) return null;
  let next: URL;
  try {
    next = new URL(answer.location, url);
  } catch {
    return null;
  }
  if (next.protocol !== "http:" && next.protocol !== "https:") return null;
  const keeps = answer.status >= 307 || asked.method === "HEAD";
  return { url: next, asked: keeps ? asked : { method: "GET", body: "" } };
}

function resultOf(answer: HttpAnswer, what: string): ProbeResult {
  if ("error" in answer) return failure(`nomad: ${what}: ${dialError(answer.error, answer.at)}`);
  const { status, text } = answer;
  if (status === 200) return success("nomad: http ok", status);
  return status < 400 ? success(text, status) : failure(text, status);
}

const capital = (method: string): string => method.slice(0, 1) + method.slice(1).toLowerCase();
