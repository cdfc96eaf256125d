import { closingFds, commandLine } from "./launch.js";

const base = { argv: ["/bin/x", "-a"], user: null, env: {}, session: "keep", resetSignals: false } as const;

test("a session of root's is its command and nothing in front", () => {
  expect(commandLine({ ...base, env: { A: "1" } })).toEqual({ argv: ["/bin/x", "-a"], env: { A: "1" } });
});

test.each([
  ["known", true, "--init-groups"],
  ["unknown", false, "--clear-groups"],
])("the user is dropped to with its own groups: %s", (_what, known, groups) => {
  const { argv } = commandLine({ ...base, user: { uid: 7, gid: 8, known } });
  expect(argv).toEqual(["/usr/bin/setpriv", "--reuid=7", "--regid=8", groups, "--", "/bin/x", "-a"]);
});

test("what a shell or the loader would act on is set after the user was dropped", () => {
  const { argv, env } = commandLine({ ...base, env: { LD_PRELOAD: "/x.so", "a.b": "1", OK: "2" } });
  expect(env).toEqual({ OK: "2" });
  expect(argv).toEqual(["/usr/bin/env", "--", "LD_PRELOAD=/x.so", "a.b=1", "/bin/x", "-a"]);
});

test("descriptors above 9 are closed by a shell that can name them", () => {
  expect(closingFds([], ["a"])).toEqual(["a"]);
  expect(closingFds([21, 22], ["a", "b"])).toEqual(["/bin/bash", "--norc", "-c", 'exec 21>&- 22>&-; exec "$@"', "allocd", "a", "b"]);
});
