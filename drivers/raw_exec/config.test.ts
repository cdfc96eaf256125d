import fc from "fast-check";
import { TaskConfigError } from "../driver.js";
import { parseConfig } from "./config.js";

test("all keys are taken, and have their defaults", () => {
  expect(parseConfig({ command: "x" })).toEqual({
    command: "x",
    args: [],
    workDir: "",
    oomScoreAdj: 0,
    tty: false,
    deniedEnvvars: [],
    cgroupV2Override: "",
  });
  const all = {
    command: "x",
    args: ["-a", 1, true],
    work_dir: "/w",
    oom_score_adj: 5,
    tty: true,
    denied_envvars: ["A*"],
    cgroup_v2_override: "a/b",
  };
  expect(parseConfig(all)).toMatchObject({ args: ["-a", "1", "true"], workDir: "/w", oomScoreAdj: 5, tty: true, deniedEnvvars: ["A*"] });
});

test.each([
  [{ command: "x", workdir: "/" }, 'named "workdir". Did you mean "work_dir"?'],
  [{ command: "x", something: 1 }, 'named "something". Known are: command, args'],
  [{}, 'The argument "command" is required'],
  [{ command: 5 }, "command: got 5, want a string"],
  [{ command: "x", args: "a" }, 'args: got "a", want a list of strings'],
  [{ command: "x", args: [{}] }, "args[0]: got {}, want a string"],
  [{ command: "x", args: ["a\0b"] }, "args[0]"],
  [{ command: "x", work_dir: "rel" }, 'work_dir must be an absolute path, got "rel"'],
  [{ command: "x", oom_score_adj: -1 }, "oom_score_adj must not be negative"],
  [{ command: "x", oom_score_adj: 1.5 }, "oom_score_adj: got 1.5"],
  [{ command: "x", tty: "yes" }, 'tty: got "yes", want true or false'],
])("%j is refused", (config, text) => {
  expect(() => parseConfig(config)).toThrow(TaskConfigError);
  expect(() => parseConfig(config)).toThrow(text);
});

test("whatever is given, the answer is a config or a TaskConfigError", () => {
  const keys = fc.constantFrom("command", "args", "work_dir", "oom_score_adj", "tty", "denied_envvars", "cgroup_v2_override", "other");
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), (config) => {
      try {
        parseConfig(config);
      } catch (error) {
        expect(error).toBeInstanceOf(TaskConfigError);
      }
    }),
  );
});
