/** How many bytes of a file's beginning tell its type. */
export const sniffBytes = 512;

export const binaryType = "application/octet-stream";
const textType = "text/plain; charset=utf-8";

const magics: readonly (readonly [string, string])[] = [
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["GIF8", "image/gif"],
  ["%PDF-", "application/pdf"],
  ["\x1f\x8b\x08", "application/x-gzip"],
  ["PK\x03\x04", "application/zip"],
];

/**
 * A type for what a task wrote. Markup is plain text on purpose: what a browser would run as a page is never named so.
 *
 * @param start the file's first bytes.
 */
export function contentType(name: string, start: Buffer): string {
  if (name.endsWith(".json")) return "application/json";
  const text = start.toString("latin1");
  const magic = magics.find(([bytes]) => text.startsWith(bytes));
  if (magic !== undefined) return magic[1];
  return isBinary(start) ? binaryType : textType;
}

/** Control bytes that no text has; tab, line ends, form feed and escape are fine. */
const isBinary = (bytes: Buffer): boolean => bytes.some((byte) => byte < 9 || byte === 11 || (byte > 13 && byte < 32 && byte !== 27));
