import type { IncomingMessage, ServerResponse } from "node:http";

/** Only what we serve ourselves runs, and in no frame of another page. */
const UI_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** What every answer tells a browser, and what those of the UI tell it besides. Answers of the API are no pages at all. */
export function secureHeaders(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("Vary", "Accept-Encoding");
  response.setHeader("X-Content-Type-Options", "nosniff");
  const isUi = /^\/(?:ui(?:[/?]|$)|$|\?)/.test(request.url ?? "");
  response.setHeader("Content-Security-Policy", isUi ? UI_POLICY : "default-src 'none'; frame-ancestors 'none'; sandbox");
  response.setHeader("X-Frame-Options", "DENY");
  if (isUi) response.setHeader("Referrer-Policy", "no-referrer");
}
