import type Docker from "dockerode";
import { FakeClock } from "../../../agent/allocs/testing/fake-clock.js";
import { describeWithEngine, realTime, shellessImage } from "../testing/engine.js";
import { ContainerHunt } from "./container-hunt.js";
import { endProcesses, HostHunt, type ProcessHunt } from "./process-hunt.js";

/** Processes that end by some signal. */
class Herd implements ProcessHunt {
  readonly heard: number[] = [];
  constructor(
    private left: number,
    private readonly endedBy: number,
  ) {}
  async signal(signal: number): Promise<number> {
    const there = this.left;
    if (there > 0) this.heard.push(signal);
    if (signal === this.endedBy) this.left = 0;
    return there;
  }
  async count(): Promise<number> {
    return this.left;
  }
}

test.each([
  [1, [1], true],
  [15, [1, 15], true],
  [9, [1, 15, 9], true],
])("processes that end by signal %i hear %j", async (endedBy, heard, gone) => {
  const clock = new FakeClock();
  const herd = new Herd(3, endedBy);
  let result: boolean | undefined;
  void endProcesses(herd, clock).then((value) => {
    result = value;
  });
  while (result === undefined) await clock.advance(100);
  expect([herd.heard, result]).toEqual([heard, gone]);
});

test("what never ends is given up", async () => {
  const clock = new FakeClock();
  let result: boolean | undefined;
  void endProcesses(new Herd(1, 0), clock).then((value) => {
    result = value;
  });
  while (result === undefined) await clock.advance(100);
  expect(result).toBe(false);
});

describeWithEngine("the processes of a session", (engine) => {
  const mark = "ALLOCD_SESSION=some-session";
  let container: Docker.Container;
  let serial = 0;
  beforeEach(async () => {
    container = await engine().container();
  });
  afterEach(() => container.remove({ force: true }));

  async function exec(script: string, env: string[]): Promise<void> {
    const exec = await container.exec({ Cmd: ["sh", "-c", script], Env: env, AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    await new Promise((resolve) => stream.once("data", resolve));
    stream.resume();
  }
  const names = async (): Promise<string[]> =>
    ((await container.top({ ps_args: "-eo pid,args" })) as { Processes: string[][] }).Processes.map(([, args = ""]) => args);
  const hunts: [string, () => Promise<ProcessHunt | undefined>][] = [
    ["the host", async () => HostHunt.of(mark, container.id, (await container.inspect()).State.Pid, "container")],
    ["the container", async () => new ContainerHunt(engine().docker, container.id, mark)],
  ];

  test.each(hunts)(
    "are found by %s, and ended, and nothing else",
    async (_name, find) => {
      serial += 1;
      await exec(`setsid sleep ${serial}0001 & sleep ${serial}0002 & echo up; trap '' HUP TERM; while :; do sleep 0.1; done`, [mark]);
      await exec(`echo up; exec sleep ${serial}0003`, ["ALLOCD_SESSION=another"]);
      const hunt = await find();
      if (!hunt) throw new Error("there is no way to them");
      expect(await hunt.count()).toBeGreaterThanOrEqual(3);
      expect(await endProcesses(hunt, realTime)).toBe(true);
      expect((await names()).sort()).toEqual(["sleep 100000", `sleep ${serial}0003`]);
      expect(await hunt.signal(9)).toBe(0);
    },
    20_000,
  );

  test("of a process of this host that is not the container's are not looked for", () => {
    expect(HostHunt.of(mark, container.id, process.pid, "command")).toBeUndefined();
    expect(HostHunt.of(mark, container.id, 2 ** 30, "command")).toBeUndefined();
  });

  test("can not be found by a container without a shell, which is an error and not none", async () => {
    const bare = await engine().container(["sleep", "100000"], shellessImage);
    await expect(new ContainerHunt(engine().docker, bare.id, mark).count()).rejects.toThrow("no shell");
    await bare.remove({ force: true });
  });
});
