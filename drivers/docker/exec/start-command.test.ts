import { complaintText } from "./start-command.js";

const framed = (text: string): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = 1;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};
const missing = 'exec failed: unable to start container process: exec: "nope": executable file not found in $PATH';

// What engines send as the output of a command that was never started.
test.each([
  [`OCI runtime exec failed: ${missing}: unknown\r\n`, missing],
  [
    `OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: "x": not found: unknown\r\n`,
    'exec failed: container_linux.go:380: starting container process caused: exec: "x": not found',
  ],
  [
    "unable to find user x: no matching entries in passwd file\r\n",
    "exec failed: unable to find user x: no matching entries in passwd file",
  ],
  ["cannot exec in a stopped state: unknown", "exec failed: cannot exec in a stopped state"],
  ["", "exec failed: the engine does not say why"],
])("%j", (text, error) => {
  expect(complaintText(Buffer.from(text), true)).toBe(error);
  expect(complaintText(framed(text), false)).toBe(error);
});
