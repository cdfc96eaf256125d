import { parseRecord } from "./run-dir.js";

const record = (guard: string, pid = "", end = ""): string => guard.padEnd(64) + pid.padEnd(64) + end.padEnd(128);

test("a record tells the guard, the command and how it ended, as far as it has come", () => {
  const guard = { pid: 7, startTime: "99" };
  expect(parseRecord("")).toEqual({});
  expect(parseRecord(record("guard 7 99\n"))).toEqual({ guard });
  const main = { pid: 8, startTime: "100" };
  expect(parseRecord(record("guard 7 99\n", "pid 8 100\n"))).toEqual({ guard, main });
  expect(parseRecord(record("guard 7 99\n", "pid 8 100\n", "exit 137 9\n"))).toEqual({
    guard,
    main,
    exit: { exitCode: 137, signal: 9, error: "" },
  });
});

test.each(["exit 137 9", "exit 13", "failed exec /x: Permission den"])("a line that is not whole is none: %s", (end) => {
  expect(parseRecord(record("guard 7 99\n", "pid 8", end))).toEqual({ guard: { pid: 7, startTime: "99" } });
});

test("why a command was not started is said as users know it, and quotes nothing that counts", () => {
  expect(parseRecord(record("guard 7 99\n", "", "failed chdir /a\nexit 0 0\n/b: No such file or directory\n"))).toEqual({
    guard: { pid: 7, startTime: "99" },
    failure: "chdir /a\nexit 0 0\n/b: no such file or directory",
  });
});
