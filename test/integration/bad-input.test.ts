import type { TestAgent } from "../support/agent.js";
import { ask } from "../support/http.js";
import { job, shell } from "../support/jobs.js";
import { scenario } from "../support/scenario.js";

const unknown = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
const good = () => job("bad", [shell("t", "true")], { Type: "batch" });

/** A good job with one member replaced, by its path. */
function broken(path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(good()) as Record<PropertyKey, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<PropertyKey, unknown>;
  at[path.at(-1) ?? ""] = value;
  return { Job: copy };
}

const group = ["TaskGroups", 0] as const;
const task = [...group, "Tasks", 0] as const;

/** Method, path, body, and what the refusal has to name. */
const mistakes: readonly (readonly [string, string, string, unknown, readonly RegExp[]])[] = [
  ["malformed JSON", "PUT", "/v1/jobs", "{bad", [/json/i]],
  ["JSON that ends early", "PUT", "/v1/jobs", '{"Job": {"ID": "bad"', [/json/i]],
  ["no body", "PUT", "/v1/jobs", undefined, [/./]],
  ["no job", "PUT", "/v1/jobs", {}, [/Job/]],
  ["a job that is a list", "PUT", "/v1/jobs", { Job: [] }, [/Job/, /\[\]/]],
  [
    "a string deep down where a number belongs",
    "PUT",
    "/v1/jobs",
    broken([...task, "Resources", "CPU"], "lots"),
    [/Resources.*CPU/, /lots/],
  ],
  ["a number deep down where a string belongs", "PUT", "/v1/jobs", broken([...task, "Driver"], 7), [/Driver/, /7/]],
  ["a list where an object belongs", "PUT", "/v1/jobs", broken([...task, "Env"], ["A=1"]), [/Env/]],
  ["a task without a driver", "PUT", "/v1/jobs", broken([...task, "Driver"], undefined), [/[Dd]river/]],
  ["a count of -1", "PUT", "/v1/jobs", broken([...group, "Count"], -1), [/[Cc]ount/, /-1/]],
  ["a count of a half", "PUT", "/v1/jobs", broken([...group, "Count"], 0.5), [/Count/, /0\.5/]],
  ["a body of 50 MB", "PUT", "/v1/jobs", JSON.stringify({ Job: { ID: "x".repeat(50_000_000) } }), [/50000017 bytes/]],
  ["an id that is no UUID", "GET", "/v1/allocation/not-a-uuid", undefined, [/./]],
  ["an id that is no UUID, stopped", "POST", "/v1/allocation/foo/stop", undefined, [/./]],
  ["an id that is no UUID, put", "PUT", "/v1/allocation/foo", { ID: "foo" }, [/./]],
  [
    "an allocation whose id is not the path's",
    "PUT",
    `/v1/allocation/${unknown}`,
    { ID: unknown.replace("3", "4"), AllocModifyIndex: 1, Name: "bad.g[0]", TaskGroup: "g", JobID: "bad", Job: good() },
    [/ID/, /4fa85f64/],
  ],
  ["an allocation without its job", "PUT", `/v1/allocation/${unknown}`, { ID: unknown, AllocModifyIndex: 1 }, [/Job/]],
  ["an odd prefix", "GET", "/v1/allocations?prefix=abc", undefined, [/even length/]],
  ["a prefix that is no hex", "GET", "/v1/allocations?prefix=zz", undefined, [/invalid/i]],
  ["a wait without a unit", "GET", "/v1/allocations?index=1&wait=10", undefined, [/wait/i]],
  ["an index that is no number", "GET", "/v1/allocations?index=x", undefined, [/index/i]],
];

async function everything(agent: TestAgent): Promise<unknown> {
  const { headers } = await agent.get("/v1/allocations");
  return { index: headers["x-nomad-index"], jobs: await agent.read("/v1/jobs"), allocs: await agent.read("/v1/allocations") };
}

scenario("a caller's mistake is a 4xx that names what is wrong, and nothing is stored", async (start) => {
  const agent = await start();
  const before = await everything(agent);
  const wrong: string[] = [];
  for (const [what, method, path, body, names] of mistakes) {
    const answer = await ask(agent.url + path, method, { body });
    const short = answer.text.length < 2000;
    if (answer.status < 400 || answer.status > 499 || !short || !names.every((name) => name.test(answer.text))) {
      wrong.push(`${what}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(await everything(agent)).toEqual(before);
  expect(await agent.run(good() as { ID: string }, "complete").then((alloc) => alloc.JobID)).toBe("bad");
});
