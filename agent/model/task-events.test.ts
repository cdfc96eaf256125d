import fc from "fast-check";
import * as events from "./task-events.js";
import { MAX_TASK_EVENTS, type TaskEvent } from "./task-state.js";
import { appendEvent, enterState, newTaskState } from "./task-transitions.js";
import { SECOND } from "./units.js";

const at = 1_700_000_000_123_456_789n;

test.each<[TaskEvent, string, string, Record<string, string>, Partial<TaskEvent>]>([
  [events.received(at), "Received", "Task received by client", {}, {}],
  [
    events.taskSetup(at, "Building Task Directory"),
    "Task Setup",
    "Building Task Directory",
    { message: "Building Task Directory" },
    { Message: "Building Task Directory" },
  ],
  [events.downloadingArtifacts(at), "Downloading Artifacts", "Client is downloading artifacts", {}, {}],
  [events.failedArtifactDownload(at, "e"), "Failed Artifact Download", "e", { download_error: "e" }, { DownloadError: "e" }],
  [events.failedValidation(at, "e"), "Failed Validation", "e", { validation_error: "e" }, { ValidationError: "e" }],
  [
    events.setupFailure(at, "m"),
    "Setup Failure",
    "m",
    { kill_reason: "Failed Restoring Task", fails_task: "true" },
    { KillReason: "Failed Restoring Task", FailsTask: true },
  ],
  [events.driverFailure(at, "e"), "Driver Failure", "e", { driver_error: "e" }, { DriverError: "e" }],
  [events.driverFailure(at, ""), "Driver Failure", "Failed to start task", { driver_error: "" }, {}],
  [events.started(at), "Started", "Task started by client", {}, {}],
  [
    events.driverMessage(at, "Downloading image", { image: "a:b" }),
    "Driver",
    "Downloading image",
    { image: "a:b" },
    { DriverMessage: "Downloading image" },
  ],
  [
    events.terminated(at, { exitCode: 0, signal: 0, oomKilled: false, error: "" }),
    "Terminated",
    "Exit Code: 0",
    { exit_code: "0", signal: "0", oom_killed: "false" },
    {},
  ],
  [
    events.terminated(at, { exitCode: 137, signal: 9, oomKilled: true, error: 'a "b"' }),
    "Terminated",
    'Exit Code: 137, Signal: 9, Exit Message: "a \\"b\\""',
    { exit_code: "137", signal: "9", oom_killed: "true", exit_message: 'a "b"' },
    { ExitCode: 137, Signal: 9, Message: 'a "b"' },
  ],
  [
    events.restarting(at, 18_556_624_038, "Restart within policy"),
    "Restarting",
    "Task restarting in 18.556624038s",
    { start_delay: "18556624038", restart_reason: "Restart within policy" },
    { StartDelay: 18_556_624_038, RestartReason: "Restart within policy" },
  ],
  [events.restarting(at, 0, ""), "Restarting", "Task restarting in 0s", { start_delay: "0", restart_reason: "" }, {}],
  [
    events.restarting(at, SECOND, "x"),
    "Restarting",
    "x - Task restarting in 1s",
    { start_delay: "1000000000", restart_reason: "x" },
    { StartDelay: SECOND, RestartReason: "x" },
  ],
  [
    events.notRestarting(at, "r"),
    "Not Restarting",
    "r",
    { restart_reason: "r", fails_task: "true" },
    { RestartReason: "r", FailsTask: true },
  ],
  [
    events.notRestarting(at, ""),
    "Not Restarting",
    "Task exceeded restart policy",
    { restart_reason: "", fails_task: "true" },
    { FailsTask: true },
  ],
  [events.restartSignaled(at, "r"), "Restart Signaled", "r", { restart_reason: "r" }, { RestartReason: "r" }],
  [events.signaling(at, "usr1"), "Signaling", "Task being sent a signal", { signal: "usr1" }, {}],
  [
    events.killing(at, 5 * SECOND, ""),
    "Killing",
    "Sent interrupt. Waiting 5s before force killing",
    { kill_timeout: "5s" },
    { KillTimeout: 5 * SECOND },
  ],
  [events.killing(at, 0, ""), "Killing", "Sent interrupt", { kill_timeout: "0s" }, {}],
  [events.killing(at, SECOND, "r"), "Killing", "r", { kill_timeout: "1s", kill_reason: "r" }, { KillTimeout: SECOND, KillReason: "r" }],
  [events.killed(at), "Killed", "Task successfully killed", {}, {}],
  [events.killed(at, "e"), "Killed", "e", { kill_error: "e" }, { KillError: "e" }],
  [
    events.groupVerdict(at, { kind: "sibling-failed", sibling: "x" }),
    "Sibling Task Failed",
    'Task\'s sibling "x" failed',
    { failed_sibling: "x" },
    { FailedSibling: "x" },
  ],
  [events.groupVerdict(at, { kind: "leader-dead" }), "Leader Task Dead", "Leader Task in Group dead", {}, {}],
  [events.groupVerdict(at, { kind: "main-tasks-dead" }), "Main Tasks Dead", "Main tasks in the group died", {}, {}],
  [
    events.waitingForShutdownDelay(at, 90 * SECOND),
    "Waiting for shutdown delay",
    "Waiting for shutdown_delay of 1m30s before killing the task.",
    {},
    {},
  ],
  [events.skippingShutdownDelay(at, SECOND), "Skipping shutdown delay", "Skipping shutdown_delay of 1s before killing the task.", {}, {}],
  [events.hookFailed(at, "h", "e"), "Task hook failed", "h: e", { message: "h: e" }, { Message: "h: e" }],
  [events.hookMessage(at, "m"), "Task hook message", "m", { message: "m" }, { Message: "m" }],
  [events.allocUnhealthy(at, "m"), "Alloc Unhealthy", "m", { message: "m" }, { Message: "m" }],
])("%#: type, text, details and twins", (event, Type, DisplayMessage, Details, twins) => {
  const blank = { ...events.received(at), Type, DisplayMessage, Details };
  expect(event).toEqual({ ...blank, ...twins });
  expect(Object.keys(event)).toHaveLength(24);
});

test("a state keeps the latest events, and what they mean", () => {
  const any = fc.array(
    fc.constantFrom(events.received(at), events.restarting(at, 0, ""), events.notRestarting(at, "r"), events.killed(at)),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(any, (given) => {
      const state = given.reduce(appendEvent, newTaskState);
      expect(state.Events).toEqual(given.slice(-MAX_TASK_EVENTS));
      expect(state.Failed).toBe(given.some((e) => e.FailsTask));
      expect(state.Restarts).toBe(given.filter((e) => e.Type === "Restarting").length);
      expect(state.LastRestart).toBe(state.Restarts > 0 ? at : null);
    }),
  );
});

test("the first end is remembered, each start is the latest", () => {
  const dead = enterState(enterState(newTaskState, "running", 1n), "dead", 2n);
  expect(dead).toMatchObject({ State: "dead", StartedAt: 1n, FinishedAt: 2n });
  const again = enterState(enterState(dead, "pending", 3n), "running", 4n);
  expect(again).toMatchObject({ State: "running", StartedAt: 4n, FinishedAt: 2n });
  expect(enterState(again, "running", 5n)).toBe(again);
  expect(enterState(again, "dead", 6n).FinishedAt).toBe(2n);
});
