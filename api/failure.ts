import type { ServerResponse } from "node:http";
import { AllocdError, RetryLater } from "../agent/errors.js";
import type { Logger } from "../agent/log.js";
import { InvalidInput } from "../agent/model/invalid-field.js";

/** What the caller is told of an error. */
export interface Failure {
  readonly status: number;
  /** Plain text without a newline at its end, as Nomad's clients print it. */
  readonly text: string;
}

/** @returns undefined when the error is a defect of ours and no mistake of the caller's. */
export function expectedFailure(error: unknown): Failure | undefined {
  if (error instanceof AllocdError) return { status: error.status, text: error.message };
  if (error instanceof InvalidInput) return { status: 400, text: error.message };
  // express and its parts: a path that can not be decoded, and the like.
  if (error instanceof Error && "status" in error && typeof error.status === "number" && error.status >= 400 && error.status < 500) {
    return { status: error.status, text: error.message };
  }
  return undefined;
}

/** Answers with the error. What is not expected is logged under an id that the caller gets too. */
export function sendFailure(
  response: ServerResponse,
  error: unknown,
  context: { readonly log: Logger; readonly requestId: () => string },
): void {
  const expected = expectedFailure(error);
  if (expected === undefined) {
    const requestId = context.requestId();
    const { method, url } = response.req;
    context.log.error({ err: error, requestId, method, path: url?.split("?", 1)[0] }, "request failed");
    if (!response.headersSent) response.setHeader("X-Request-Id", requestId);
  }
  if (response.headersSent) {
    // Half an answer must not look like a whole one.
    response.destroy();
    return;
  }
  if (error instanceof RetryLater) response.setHeader("Retry-After", error.seconds);
  sendText(response, expected ?? { status: 500, text: error instanceof Error ? error.message : String(error) });
}

export function sendText(response: ServerResponse, { status, text }: Failure): void {
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "X-Content-Type-Options": "nosniff",
  });
  response.end(text);
}
