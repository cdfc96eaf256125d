import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VolumeMount } from "../model/job.js";
import { aNode, aTask } from "./testing/fixtures.js";
import { Rig } from "./testing/rig.js";

let rig: Rig;
let source: string;

beforeEach(async () => {
  rig = new Rig();
  source = join(rig.dataDir, "shared");
  mkdirSync(source);
  rig.node = {
    ...aNode,
    HostVolumes: { data: { Name: "data", Path: source, ReadOnly: false }, certs: { Name: "certs", Path: source, ReadOnly: true } },
  };
  await rig.supervisor.start();
});

afterEach(() => rig.close());

const request = (Source: string) => ({ Name: "v", Type: "host" as const, Source, ReadOnly: Source === "certs" });
const mount = (Destination: string, more: Partial<VolumeMount> = {}): VolumeMount => ({
  Volume: "v",
  Destination,
  ReadOnly: false,
  PropagationMode: "private",
  ...more,
});
const run = (Source: string, ...VolumeMounts: readonly VolumeMount[]) =>
  rig.run([aTask("t", { VolumeMounts })], { group: { Volumes: { v: request(Source) } } });
const runs = (count: number): Promise<void> => rig.until(`run ${count}`, () => rig.driver.of("t").length === count);
async function failure(id: string): Promise<string> {
  await rig.until("the hook to fail", () => rig.types(id, "t").includes("Task hook failed"));
  return rig.event(id, "t", "Task hook failed").Message;
}
const taskDir = (id: string): string => join(rig.dataDir, "alloc", id, "t");

describe("a task in the host's own file system", () => {
  test("finds the volume by a link in its directory, over restarts", async () => {
    const id = await run("data", mount("local/deep/data"));
    await runs(1);
    writeFileSync(join(source, "f"), "kept");
    expect(readFileSync(join(taskDir(id), "local/deep/data/f"), "utf8")).toBe("kept");
    await rig.supervisor.restart(id, {});
    await runs(2);
    await rig.exit("t", 0);
    await rig.store.commit([{ kind: "alloc-delete", id }]);
    await rig.until("the directory to be removed", () => !existsSync(taskDir(id)));
    expect(readFileSync(join(source, "f"), "utf8")).toBe("kept");
  });

  test.each([
    ["data", "/srv/data", /^volumes: volume "data" at "\/srv\/data": a fake task has the host's own file system/],
    ["data", "local", /something else is there already$/],
    ["data", ".", /want a name inside the task's directory$/],
    ["certs", "local/certs", /nothing can be kept from being written$/],
    ["none", "local/x", /^volumes: missing host volume "none"$/],
  ])("is refused %s at %s", async (name, destination, message) => {
    const id = await run(name, mount(destination));
    expect(await failure(id)).toMatch(message);
    expect(rig.driver.runs).toHaveLength(0);
  });

  test("can not lead the agent out of its directory by a link of its own", async () => {
    rig.driver.onStart = (spec) => symlinkSync("/", join(spec.dirs.local, "out"));
    const id = await run("data");
    await runs(1);
    await rig.desire(id, {
      Job: {
        ...rig.alloc(id).Job,
        TaskGroups: [
          {
            ...rig.alloc(id).Job.TaskGroups[0],
            Tasks: [aTask("t", { VolumeMounts: [mount("local/out/etc/x")] })],
            Volumes: { v: request("data") },
          } as never,
        ],
      },
    });
    rig.driver.onStart = () => {};
    await rig.supervisor.restart(id, {});
    expect(await failure(id)).toMatch(/no directory/);
    expect(existsSync("/etc/x")).toBe(false);
  });
});

test("a driver that mounts is given the places", async () => {
  Object.assign(rig.driver, { isolation: "image" });
  await run("certs", mount("/etc/certs", { PropagationMode: "host-to-task" }));
  await runs(1);
  expect(rig.driver.last("t").spec.mounts).toEqual([{ source, target: "/etc/certs", readOnly: true, propagation: "host-to-task" }]);
});
