import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestAgent } from "../support/agent.js";
import { mountsBelow } from "../support/host.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const dirOf = (agent: TestAgent, id: string, ...path: readonly string[]): string => join(agent.dataDir, "alloc", id, ...path);
const kept = (agent: TestAgent): readonly string[] =>
  readdirSync(join(agent.dataDir, "alloc")).filter((name) => /^[0-9a-f-]{36}$/.test(name));
const isRoot = process.getuid?.() === 0;

scenario("secrets are on a tmpfs that outlives the agent and the task's restarts, and goes with the allocation", async (start) => {
  const agent = await start();
  const alloc = await agent.run(job("secret", [shell("t", "test -e secrets/key || echo s3cret > secrets/key; exec sleep 1000")]));
  const secrets = dirOf(agent, alloc.ID, "t/secrets");
  await waitFor("the secret", () => existsSync(join(secrets, "key")));
  expect([statSync(secrets).mode & 0o777, mountsBelow(agent.dataDir)]).toEqual([0o700, isRoot ? [secrets] : []]);

  await agent.kill();
  await agent.start();
  await agent.post(`/v1/client/allocation/${alloc.ID}/restart`, {});
  expect([existsSync(join(secrets, "key")), mountsBelow(agent.dataDir)]).toEqual([true, isRoot ? [secrets] : []]);

  await agent.delete("/v1/job/secret");
  await agent.untilAlloc(alloc.ID, "to end", (a) => a.ClientStatus === "complete");
  expect((await agent.put(`/v1/client/allocation/${alloc.ID}/gc`)).status).toBe(200);
  expect([mountsBelow(agent.dataDir), existsSync(dirOf(agent, alloc.ID))]).toEqual([[], false]);
});

scenario("directories of ended allocations go when there are too many; what is known of them stays", async (start) => {
  const agent = await start({ config: { client: { gc_max_allocs: 2 } } });
  const ids: string[] = [];
  for (const name of ["a", "b", "c", "d"])
    ids.push((await agent.run(job(name, [shell("t", "echo hello")], { Type: "batch" }), "complete")).ID);
  await waitFor("the oldest to go", () => kept(agent).length === 2);
  expect([...kept(agent)].sort()).toEqual(ids.slice(2).sort());
  const [first = "", , third = ""] = ids;
  expect((await agent.read(`/v1/allocation/${first}`)).ClientStatus).toBe("complete");
  expect((await agent.get(`/v1/client/fs/ls/${first}?path=/`)).status).toBe(404);
  expect((await agent.get(`/v1/client/fs/logs/${first}?task=t&type=stdout&plain=true`)).status).toBe(404);
  expect((await agent.get(`/v1/client/fs/logs/${third}?task=t&type=stdout&plain=true`)).text).toBe("hello\n");

  const running = await agent.run(job("long", [shell("t", "exec sleep 1000")]));
  const refused = await agent.put(`/v1/client/allocation/${running.ID}/gc`);
  expect([refused.status, refused.text]).toEqual([409, "No such allocation on client, or allocation not eligible for GC: it is running"]);
  const all = await agent.put("/v1/client/gc");
  expect([all.status, all.text]).toEqual([200, ""]);
  await waitFor("all that have ended to go", () => kept(agent).join() === running.ID);
  expect((await agent.put(`/v1/client/allocation/${first}/gc`)).status).toBe(200);
  expect((await agent.get("/v1/client/gc")).status).toBe(405);
  expect(await agent.read("/v1/allocations")).toHaveLength(5);
});

scenario("the next agent collects what the one before has left", async (start) => {
  const agent = await start();
  for (const name of ["a", "b"]) await agent.run(job(name, [shell("t", "true")], { Type: "batch" }), "complete");
  await agent.kill();
  expect(kept(agent)).toHaveLength(2);
  await agent.start();
  await agent.put("/v1/client/gc");
  await waitFor("both to go", () => kept(agent).length === 0);
});

scenario("a replacement finds the data of a sticky disk, and a disk that is too small is told", async (start) => {
  const agent = await start({ config: { client: { disk_check_interval: "1s" } } });
  const group = { EphemeralDisk: { Sticky: true, SizeMB: 10 } };
  const tasks = [shell("t", "cat local/f; head -c 20 $NOMAD_ALLOC_DIR/data/g; exec sleep 1000")];
  const first = await agent.run(job("sticky", tasks, {}, group));
  writeFileSync(dirOf(agent, first.ID, "t/local/f"), "local ");
  writeFileSync(dirOf(agent, first.ID, "alloc/data/g"), Buffer.alloc(11 * 1024 * 1024, "x"));
  const told = await agent.untilAlloc(first.ID, "to be told", (a) =>
    a.TaskStates.t.Events.some(({ Type }: { Type: string }) => Type === "Disk Resources Exceeded"),
  );
  expect(told.ClientStatus).toBe("running");

  await agent.post(`/v1/allocation/${first.ID}/stop`);
  const [next] = (
    await agent.untilAllocs("sticky", "to be replaced", (all) => all.some((a) => a.ID !== first.ID && a.ClientStatus === "running"))
  ).filter((a) => a.ID !== first.ID);
  const logs = `/v1/client/fs/logs/${next.ID}?task=t&type=stdout&plain=true`;
  await waitFor("the data", async () => (await agent.get(logs)).text.startsWith("local xxx"));
  expect(existsSync(dirOf(agent, first.ID, "t/local/f"))).toBe(false);
});
