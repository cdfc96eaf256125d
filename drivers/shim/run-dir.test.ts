import { parseExit } from "./run-dir.js";

test.each([
  [0, "[1] + Done                       ", 0],
  [3, "[1] + Done(3)                    ", 0],
  [130, "[1] + Interrupt                  ", 2],
  [130, "[1] + Done(130)                  ", 0],
  [137, "[1] + Killed                     ", 9],
  [137, "[1] + Done(137)                  ", 0],
  [139, "[1] + Segmentation fault (core dumped) ", 11],
  [162, "[1] + Real-time signal 0         ", 34],
  [255, "[1] + Done(255)", 0],
])("status %i with %j is signal %i", (status, jobs, signal) => {
  expect(parseExit(status, jobs)).toEqual({ exitCode: status, signal, error: "" });
});
