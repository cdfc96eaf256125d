import fc from "fast-check";
import { clientSummary } from "./client-status.js";
import { newTaskState } from "./task-transitions.js";

type Short = "pending" | "running" | "dead" | "failed";
const state = (s: Short) => ({ ...newTaskState, State: s === "failed" ? ("dead" as const) : s, Failed: s === "failed" });
const summary = (...given: readonly Short[]) => clientSummary(given.map(state));

test.each<[readonly Short[], string, string]>([
  [["failed", "running"], "failed", "Failed tasks"],
  [["dead", "running", "pending"], "running", "Tasks are running"],
  [["dead", "pending"], "pending", "No tasks have started"],
  [["dead", "dead"], "complete", "All tasks have completed"],
])("%p is %s", (given, ClientStatus, ClientDescription) => {
  expect(summary(...given)).toEqual({ ClientStatus, ClientDescription });
});

test("a task that failed before and runs again has not failed the allocation", () => {
  expect(clientSummary([{ ...newTaskState, State: "running", Failed: true }]).ClientStatus).toBe("running");
});

test("the order of the tasks does not matter", () => {
  const any = fc.array(fc.constantFrom<Short>("pending", "running", "dead", "failed"), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(any, (given) => summary(...given).ClientStatus === summary(...given.toReversed()).ClientStatus));
});
