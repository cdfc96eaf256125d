import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, anAllocation, UNKNOWN_ID } from "../testing/objects.js";

let fixture: Fixture;

beforeEach(async () => {
  fixture = await startApi();
});

afterEach(() => fixture.close());

test("one allocation, or all, are collected with an empty answer", async () => {
  const alloc = anAllocation(aJob("a"));
  await fixture.commit({ kind: "alloc-create", alloc });
  for (const path of [`/v1/client/allocation/${alloc.ID}/gc`, "/v1/client/gc"]) {
    const response = await fixture.http.request("PUT", path);
    expect([response.status, response.text, response.headers["content-type"]]).toEqual([200, "", undefined]);
  }
  expect(fixture.calls).toEqual([["collect", alloc.ID], ["collectAll"]]);
});

test.each([
  ["PUT", `/v1/client/allocation/${UNKNOWN_ID}/gc`, 404, `Unknown allocation "${UNKNOWN_ID}"`],
  ["PUT", "/v1/client/gc?node_id=other", 404, "Unknown node other"],
  ["GET", "/v1/client/gc", 405, "Invalid method"],
  ["GET", `/v1/client/allocation/${UNKNOWN_ID}/gc`, 405, "Invalid method"],
] as const)("%s %s is %i", async (method, path, status, text) => {
  const response = await fixture.http.request(method, path);
  expect([response.status, response.text, fixture.calls]).toEqual([status, text, []]);
});
