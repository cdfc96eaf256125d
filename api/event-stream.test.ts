import http from "node:http";
import { type Fixture, startApi } from "./testing/fixture.js";
import { aJob } from "./testing/objects.js";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startApi();
});
afterEach(() => fixture.close());

/** Reads a stream line by line, until the test leaves it. */
async function stream(query: string) {
  const lines: string[] = [];
  let wake = (): void => {};
  let over = false;
  const request = http.get({ host: "127.0.0.1", port: fixture.http.port, path: `/v1/event/stream${query}`, agent: false });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => request.on("response", resolve).on("error", reject));
  let rest = "";
  response.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    wake();
  });
  response.on("close", () => {
    over = true;
    wake();
  });
  response.on("error", () => {});
  return {
    status: response.statusCode,
    leave: () => request.destroy(),
    line: async (): Promise<{ Index?: number; Events?: { Key: string; Topic: string }[]; Error?: string } | undefined> => {
      while (lines.length === 0 && !over) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const line = lines.shift();
      return line === undefined ? undefined : JSON.parse(line);
    },
  };
}

const job = (id: string) => fixture.commit({ kind: "job", job: aJob(id), spec: true });

test("a stream begins at once, goes on with what happens, and ends when the agent does", async () => {
  const events = await stream("?topic=Job:web&topic=Deployment");
  expect(events.status).toBe(200);
  expect(await events.line()).toEqual({});
  await job("db");
  const index = await job("web");
  expect(await events.line()).toMatchObject({
    Index: index,
    Events: [{ Topic: "Job", Key: "web", Index: index, Payload: { Job: { ID: "web" } } }],
  });
  await fixture.close();
  expect(await events.line()).toBeUndefined();
});

test("a stream tells what was before it, from an index on", async () => {
  await job("a");
  const index = await job("b");
  const events = await stream(`?index=${index}`);
  await events.line();
  expect((await events.line())?.Events?.map(({ Key }) => Key)).toEqual(["b"]);
  events.leave();
});

test("a change of very many objects is told in several lines of one index", async () => {
  const events = await stream("");
  await events.line();
  const index = await fixture.commit(
    ...Array.from({ length: 100 }, (_, i) => ({ kind: "job" as const, spec: true, job: aJob(`job-${i}`) })),
  );
  const [first, second] = [await events.line(), await events.line()];
  expect([first?.Index, second?.Index]).toEqual([index, index]);
  expect([first?.Events?.length, second?.Events?.length]).toEqual([64, 36]);
  events.leave();
});

test.each([
  ["?topic=Nope", 400, /^topic: got "Nope", want one of Job, /],
  ["?index=x", 400, /^Invalid index/],
  ["?namespace=a&namespace=b", 400, /given more than once/],
])("%s is refused", async (query, status, text) => {
  const response = await fixture.http.get(`/v1/event/stream${query}`);
  expect([response.status, response.text]).toEqual([status, expect.stringMatching(text)]);
});

test("one stream too many is refused, and who leaves makes room", async () => {
  const [first, second] = [await stream(""), await stream("")];
  expect(await fixture.http.get("/v1/event/stream")).toMatchObject({ status: 429 });
  first.leave();
  await first.line();
  for (let status: number | undefined = 429; status === 429; ) {
    const next = await stream("");
    status = next.status;
    next.leave();
  }
  second.leave();
});
