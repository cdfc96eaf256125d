import { contentType } from "./content-type.js";
import { goFileMode } from "./file-info.js";

test.each([
  [0o040777, "drwxrwxrwx"],
  [0o041777, "dtrwxrwxrwx"],
  [0o100644, "-rw-r--r--"],
  [0o010600, "prw-------"],
  [0o140666, "Srw-rw-rw-"],
  [0o120777, "Lrwxrwxrwx"],
  [0o104755, "urwxr-xr-x"],
  [0o106711, "ugrwx--x--x"],
  [0o020620, "Dcrw--w----"],
  [0o060660, "Drw-rw----"],
])("mode %o is printed as %s", (mode, text) => {
  expect(goFileMode(mode)).toBe(text);
});

test.each([
  ["a.txt", "hello\n", "text/plain; charset=utf-8"],
  ["a", "\x1b[31mred\x1b[0m", "text/plain; charset=utf-8"],
  ["a", "", "text/plain; charset=utf-8"],
  ["a.html", "<!DOCTYPE html><script>", "text/plain; charset=utf-8"],
  ["a.svg", "<svg onload=x>", "text/plain; charset=utf-8"],
  ["a.json", "{}", "application/json"],
  ["a", "\x89PNG\r\n\x1a\n", "image/png"],
  ["a", "\x7fELF\x02\x01\x01\x00", "application/octet-stream"],
])("%s with %j is %s", (name, start, type) => {
  expect(contentType(name, Buffer.from(start, "latin1"))).toBe(type);
});
