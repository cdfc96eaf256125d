import { execFileSync } from "node:child_process";
import { sizedCommand, takesConsoleSize } from "./terminal-size.js";

test.each([
  ["1.24", false],
  ["1.41", false],
  ["1.42", true],
  ["1.100", true],
  ["2.0", true],
  ["", false],
])("an engine of API %s takes sizes: %s", (version, takes) => {
  expect(takesConsoleSize(version)).toBe(takes);
});

const said = (command: readonly string[], path = "/usr/bin:/bin"): string => {
  const [program = "", ...args] = sizedCommand(command, { rows: 2, cols: 3 }, "id");
  try {
    return execFileSync(program, args, { encoding: "utf8", env: { PATH: path }, stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    return `${(error as { readonly stdout: string }).stdout} ${(error as { readonly status: number }).status}`;
  }
};

test.each([
  [["echo", "a b", "", "*"], "id+a b  *\n"],
  [["/bin/echo", "x"], "id+x\n"],
  [["sh", "-c", "exit 4"], "id+ 4"],
  [["no-such-command"], "id- 127"],
  [["/no/such"], "id- 127"],
  [["/etc"], "id- 127"],
  [["/etc/passwd"], "id- 127"],
  [["cd"], "id- 127"],
  [["a*"], "id- 127"],
  [["-x"], "id- 127"],
  [[""], "id- 127"],
])("%j says whether it was found before it says anything else", (command, output) => {
  expect(said(command)).toBe(output);
});

test("an empty part of PATH is the directory one is in, and a pattern in it is none", () => {
  expect(said(["no-such-command"], "/usr/bin::/*")).toBe("id- 127");
});
