import { createHash } from "node:crypto";
import type { TestAgent } from "../support/agent.js";
import { allocd, type Ended, freePort, runToEnd } from "../support/command.js";
import { idleTask } from "../support/exec.js";
import { job, shell } from "../support/jobs.js";
import { chance } from "../support/random.js";
import { scenario } from "../support/scenario.js";

const exec = (agent: TestAgent, args: readonly string[], input?: string | Buffer): Promise<Ended> =>
  runToEnd(allocd, ["exec", "--address", agent.url, ...args], input === undefined ? {} : { input });

const oneLine = /^allocd: [^\n]+\n$/;

scenario("allocd exec passes stdin, both outputs and the exit code through, and takes the beginning of an id", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  for (const prefix of [id, id.slice(0, 8), id.slice(0, 3), id.slice(0, 9)]) {
    expect(await exec(agent, [prefix, "sh", "-c", "cat; echo oops >&2; exit 42"], "from stdin\n")).toEqual({
      code: 42,
      stdout: "from stdin\n",
      stderr: "oops\n",
    });
  }
  expect(await exec(agent, ["-T", "--task", "t", id, "echo", "--flag", "-x"])).toEqual({ code: 0, stdout: "--flag -x\n", stderr: "" });
  const data = Buffer.alloc(20_000_000, chance(9).bytes(65_521));
  const sum = createHash("sha256").update(data).digest("hex");
  expect(await exec(agent, [id, "sha256sum"], data)).toEqual({ code: 0, stdout: `${sum}  -\n`, stderr: "" });
});

scenario("allocd exec says in one line what is wrong, and its exit code is 255", async (start) => {
  const agent = await start();
  // Of 17 ids two begin with the same digit.
  await agent.register(job("many", [shell("t", "exec sleep 1000", { Resources: { CPU: 1, MemoryMB: 10 } })], {}, { Count: 17 }));
  const all: readonly { readonly ID: string }[] = await agent.untilAllocs(
    "many",
    "to run",
    (list) => list.length === 17 && list.every((a) => a.ClientStatus === "running"),
  );
  const digits = all.map(({ ID }) => ID[0] as string);
  const shared = digits.find((digit, i) => digits.indexOf(digit) !== i) as string;
  const two = await agent.run(job("two", [shell("a", "exec sleep 1000"), shell("b", "exec sleep 1000")]));
  const some = all[0]?.ID as string;

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[shared, "true"], new RegExp(`"${shared}" is the beginning of \\d+ allocations: ${shared}`)],
    [["00000000-1111-2222-3333-444444444444", "true"], /no allocation begins with "00000000-1111/],
    [["not-an-id", "true"], /./],
    [[two.ID, "true"], /--task is needed: the allocation has a, b/],
    [["--task", "c", two.ID, "true"], /"?c"?.*not found/i],
    [[some, "no-such-command"], /no-such-command/],
    [["--address", `http://127.0.0.1:${await freePort()}`, some, "true"], /does not answer.*ECONNREFUSED/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await exec(agent, args);
    expect([args, code, stdout, stderr]).toEqual([args, 255, "", expect.stringMatching(oneLine)]);
    expect(stderr).toMatch(message);
  }
});

scenario("allocd exec ends quietly when nobody reads its output any more", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const script = `"$0" exec --address "$1" "$2" yes | head -n 1; echo after`;
  expect(await runToEnd("/bin/sh", ["-c", script, allocd, agent.url, id])).toEqual({ code: 0, stdout: "y\nafter\n", stderr: "" });
});
