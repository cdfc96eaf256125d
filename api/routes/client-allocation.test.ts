import { type Fixture, startApi } from "../testing/fixture.js";
import { aJob, anAllocation, UNKNOWN_ID } from "../testing/objects.js";

let fixture: Fixture;
const alloc = anAllocation(aJob("web"));
const path = `/v1/client/allocation/${alloc.ID}`;

beforeEach(async () => {
  fixture = await startApi();
  await fixture.commit({ kind: "alloc-create", alloc });
});
afterEach(() => fixture.close());

test.each([
  [{ Signal: "SIGUSR1", Task: "t" }, ["signal", alloc.ID, "SIGUSR1", "t"]],
  [{ Signal: "HUP" }, ["signal", alloc.ID, "HUP", undefined]],
  [{ signal: "SIGHUP", task: "", Other: 1 }, ["signal", alloc.ID, "SIGHUP", undefined]],
])("the signal %j is passed on and answers an empty object", async (body, call) => {
  const response = await fixture.http.send("POST", `${path}/signal`, body);
  expect([response.status, response.text, response.headers["content-type"]]).toEqual([200, "{}", "application/json"]);
  expect(fixture.calls).toEqual([call]);
});

test.each([
  [{ TaskName: "t" }, { taskName: "t" }],
  [{}, { allTasks: false }],
  ["", { allTasks: false }],
  [{ AllTasks: true, TaskName: null }, { allTasks: true }],
])("the restart %j is passed on and answers an empty object", async (body, options) => {
  const response = await fixture.http.send("PUT", `${path}/restart`, body);
  expect([response.status, response.text]).toEqual([200, "{}"]);
  expect(fixture.calls).toEqual([["restart", alloc.ID, options]]);
});

test.each([
  ["signal", "", "Failed to decode body: Request body is empty"],
  ["signal", "[]", "Failed to decode body: got [], want a JSON object"],
  ["signal", '{"Signal":9}', "Signal: got 9, want a text"],
  ["signal", "{}", "Signal: got nothing, want the name of a signal, such as SIGUSR1"],
  ["signal", '{"Signal":""}', 'Signal: got "", want the name of a signal, such as SIGUSR1'],
  ["signal", '{"Signal":"SIGUSR1","Task":{}}', "Task: got {}, want a text"],
  ["restart", "{bad", /^Failed to decode body: ./],
  ["restart", '{"TaskName":1}', "TaskName: got 1, want a text"],
  ["restart", '{"AllTasks":"yes"}', 'AllTasks: got "yes", want true or false'],
  ["restart", '{"AllTasks":true,"TaskName":"t"}', "task name cannot be set when restarting all tasks"],
])("%s with %s is refused and reaches nobody", async (action, body, text) => {
  const response = await fixture.http.send("POST", `${path}/${action}`, body);
  expect([response.status, response.text]).toEqual([400, typeof text === "string" ? text : expect.stringMatching(text)]);
  expect(fixture.calls).toEqual([]);
});

test("what the agent refuses is told as it says", async () => {
  const response = await fixture.http.send("POST", `${path}/signal`, { Signal: "SIGNOPE" });
  expect([response.status, response.text]).toEqual([400, 'Signal: got "SIGNOPE", want the name of a signal']);
});

test.each([
  ["POST", "signal"],
  ["PUT", "restart"],
  ["GET", "exec"],
])("%s %s of an unknown allocation is 404, of no id 400", async (method, action) => {
  const unknown = await fixture.http.request(method, `/v1/client/allocation/${UNKNOWN_ID}/${action}`);
  expect([unknown.status, unknown.text]).toEqual([404, `Unknown allocation "${UNKNOWN_ID}"`]);
  const short = await fixture.http.request(method, `/v1/client/allocation/abc/${action}`);
  expect([short.status, short.text]).toEqual([400, "alloc lookup failed: index error: UUID must be 36 characters"]);
  expect(fixture.calls).toEqual([]);
});

test("exec without an upgrade says what it wants", async () => {
  const response = await fixture.http.get(`${path}/exec?task=t&command=%5B%22ls%22%5D`);
  expect([response.status, response.text]).toEqual([400, "exec: got a plain request, want a WebSocket upgrade"]);
});
