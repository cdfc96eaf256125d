import { defaultRuntimeDir } from "./runtime-dir.js";

test("root's is below /run and short enough for a socket in it", () => {
  const dir = defaultRuntimeDir(`/srv/${"long/".repeat(60)}data`, 0);
  expect(dir).toMatch(/^\/run\/allocd\/[0-9a-f]{12}$/);
});

test("another user's is beside the data", () => {
  expect(defaultRuntimeDir("/home/me/data", 1000)).toBe("/home/me/data/run");
});
