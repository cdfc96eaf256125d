import type { IncomingMessage } from "node:http";
import { AllocdError } from "../agent/errors.js";
import { describe } from "../agent/model/invalid-field.js";
import { JsonSyntaxError, parseJson } from "../agent/model/json.js";

/** What is read and thrown away behind a body that is too long, so that its sender gets to read the answer. */
const MAX_DISCARD_BYTES = 64 * 1024 * 1024;
/** Far above what a job needs. */
const MAX_NESTING = 128;

/**
 * Reads a JSON body, whatever its content type: Nomad's clients and `curl -d` name wrong ones.
 *
 * @param limit bytes.
 * @returns undefined when there is no body.
 * @throws AllocdError 413 that names the limit, 400 when it is no JSON.
 */
export async function readJsonBody(request: IncomingMessage, limit: number): Promise<unknown> {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new AllocdError("invalid", `Content-Encoding: got ${describe(encoding)}, want a body that is not compressed`);
  }
  const text = (await readBytes(request, limit)).toString("utf8");
  if (text.trim() === "") return undefined;
  if (isTooDeep(text)) throw new AllocdError("invalid", `Failed to decode body: nested more than ${MAX_NESTING} levels deep`);
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new AllocdError("invalid", `Failed to decode body: ${error.message}`, { cause: error });
  }
}

/** Whoever walks or encodes a value later may recurse: none may be deep enough to run them out of stack. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (inString) {
      if (char === "\\") i++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "[" || char === "{") {
      if (++depth > MAX_NESTING) return true;
    } else if (char === "]" || char === "}") depth--;
  }
  return false;
}

/** @throws AllocdError 400 when the body is no JSON object. */
export async function readJsonObject(request: IncomingMessage, limit: number): Promise<Readonly<Record<string, unknown>> | undefined> {
  const body = await readJsonBody(request, limit);
  if (body === undefined) return undefined;
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new AllocdError("invalid", `Failed to decode body: got ${describe(body)}, want a JSON object`);
  }
  return body as Record<string, unknown>;
}

function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = (size: number): AllocdError =>
    new AllocdError("too-large", `request body: got ${size} bytes or more, want at most ${limit} bytes`);
  const declared = Number(request.headers["content-length"] ?? 0);
  // Nothing is kept: Node itself throws away what was not read once the answer is out.
  if (declared > limit) return Promise.reject(tooLarge(declared));
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks = [];
      reject(tooLarge(size));
      if (size > limit + MAX_DISCARD_BYTES) request.destroy();
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    const cut = (): void => reject(new AllocdError("invalid", "request body: the connection ended before it was complete"));
    request.on("error", cut);
    request.on("close", cut);
  });
}
