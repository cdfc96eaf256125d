import http from "node:http";
import type { AddressInfo } from "node:net";

export interface Response {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
}

export interface RequestOptions {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
}

/** Plain requests, one connection each, so that nothing outlives a test. */
export class HttpClient {
  constructor(readonly server: http.Server) {}

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get(path: string, options: RequestOptions = {}): Promise<Response> {
    return this.request("GET", path, options);
  }

  /** @param body is sent as JSON unless it is text. */
  send(method: string, path: string, body: unknown, options: RequestOptions = {}): Promise<Response> {
    return this.request(method, path, { ...options, body: typeof body === "string" ? body : JSON.stringify(body) });
  }

  request(method: string, path: string, { headers, body, signal }: RequestOptions = {}): Promise<Response> {
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: "127.0.0.1",
        port: this.port,
        method,
        path,
        agent: false,
        headers: { ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }), ...headers },
        ...(signal === undefined ? {} : { signal }),
      });
      request.on("error", reject);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => resolve(toResponse(response, Buffer.concat(chunks))));
      });
      request.end(body);
    });
  }
}

function toResponse(response: http.IncomingMessage, body: Buffer): Response {
  const text = body.toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body, text, json };
}
