import { engineFailure } from "./engine-failure.js";

test.each([
  [
    Object.assign(new Error("(HTTP code 404) no such container - No such container: x "), {
      statusCode: 404,
      json: { message: "No such container: x" },
    }),
    { status: 404, message: "No such container: x", unreachable: false },
  ],
  [
    // Of a stream: the client library has read the answer, and keeps only its own text.
    Object.assign(new Error("(HTTP code 409) container stopped/paused - Container x is not running "), { statusCode: 409, json: null }),
    { status: 409, message: "Container x is not running", unreachable: false },
  ],
  [
    Object.assign(new Error("connect ECONNREFUSED /x"), { code: "ECONNREFUSED" }),
    { status: 0, message: "connect ECONNREFUSED /x", unreachable: true },
  ],
  [
    new DOMException("The operation was aborted", "AbortError"),
    { status: 0, message: "the engine did not answer in time", unreachable: true },
  ],
  ["text", { status: 0, message: "text", unreachable: true }],
  [undefined, { status: 0, message: "undefined", unreachable: true }],
])("%s", (thrown, failure) => {
  expect(engineFailure(thrown)).toEqual(failure);
});
