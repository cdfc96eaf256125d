import { createHash, createHmac } from "node:crypto";
import { FunctionError } from "../go/errors.js";
import { type GoFunction, GoMap } from "../go/values.js";
import { define } from "./define.js";
import { encodeGoJson, parseGoJson } from "./json.js";
import { encodeYaml, parseYaml } from "./yaml.js";

/** Bytes into text and back. */
export const encodingFunctions: ReadonlyMap<string, GoFunction> = new Map([
  ["base64Decode", define(["string"], (text) => decode("base64Decode", text, "base64"))],
  ["base64Encode", define(["string"], (bytes) => Buffer.from(bytes, "latin1").toString("base64"))],
  ["base64URLDecode", define(["string"], (text) => decode("base64URLDecode", text, "base64url"))],
  ["base64URLEncode", define(["string"], (bytes) => urlSafe(Buffer.from(bytes, "latin1").toString("base64")))],
  ["sha256Hex", define(["string"], (bytes) => createHash("sha256").update(bytes, "latin1").digest("hex"))],
  ["md5sum", define(["string"], (bytes) => createHash("md5").update(bytes, "latin1").digest("hex"))],
  ["hmacSHA256Hex", define(["string", "string"], hmac)],
  ["parseJSON", define(["string"], (text) => (text === "" ? new GoMap(new Map()) : parseGoJson(text)))],
  ["parseYAML", define(["string"], (text) => (text === "" ? new GoMap(new Map()) : parseYaml(text)))],
  ["toJSON", define(["any"], (value) => encodeGoJson(value, { html: true, pretty: false }))],
  ["toJSONPretty", define(["any"], (value) => encodeGoJson(value, { html: true, pretty: true }))],
  ["toUnescapedJSON", define(["any"], (value) => encodeGoJson(value, { html: false, pretty: false }))],
  ["toUnescapedJSONPretty", define(["any"], (value) => encodeGoJson(value, { html: false, pretty: true }))],
  ["toYAML", define(["any"], encodeYaml)],
]);

const urlSafe = (text: string): string => text.replaceAll("+", "-").replaceAll("/", "_");

function hmac(message: string, key: string): string {
  return createHmac("sha256", Buffer.from(key, "latin1")).update(message, "latin1").digest("hex");
}

const alphabets = { base64: /^[A-Za-z0-9+/]*={0,2}$/, base64url: /^[A-Za-z0-9\-_]*={0,2}$/ } as const;

/** Padded, and line breaks between are fine, as Go has it. */
function decode(name: string, text: string, alphabet: keyof typeof alphabets): string {
  const plain = text.replace(/[\r\n]/g, "");
  if (plain.length % 4 !== 0 || !alphabets[alphabet].test(plain)) throw new FunctionError(`${name}: illegal base64 data`);
  return Buffer.from(plain, alphabet).toString("latin1");
}
