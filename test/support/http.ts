import { type IncomingHttpHeaders, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Undefined when the body is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it knows to be there
  readonly json: any;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly ms?: number;
}

/**
 * One request on a connection of its own. A string or Buffer body is sent as it is, anything else as JSON.
 *
 * @returns the answer, whatever its status: also one that comes before the body was sent whole.
 */
export function ask(url: string, method: string, options: AskOptions = {}): Promise<Answer> {
  const { body, ms = 60_000 } = options;
  const payload = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  // Kept alive until we have read the answer: a connection that the other side closes with our body unread may lose it.
  const headers = {
    connection: "keep-alive",
    ...options.headers,
    ...(payload === undefined ? {} : { "content-length": Buffer.byteLength(payload) }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: false, headers }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on("data", (part: Buffer) => parts.push(part));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: parse(text) });
        outgoing.destroy();
      });
    });
    outgoing.setTimeout(ms, () => outgoing.destroy(new Error(`${method} ${url}: no answer in ${ms} ms`)));
    outgoing.on("error", reject);
    outgoing.end(payload);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
