import { nearest } from "./nearest.js";

const keys = ["bind_addr", "port", "data_dir", "runtime_dir", "client", "drivers"];

test.each([
  ["dataDir", "data_dir"],
  ["data-dir", "data_dir"],
  ["bindaddr", "bind_addr"],
  ["prt", "port"],
  ["clients", "client"],
  ["DRIVER", "drivers"],
])("%s was meant to be %s", (typed, meant) => {
  expect(nearest(typed, keys)).toBe(meant);
});

test.each(["telemetry", "x", ""])("%j is like none of them", (typed) => {
  expect(nearest(typed, ["bind_addr", "data_dir"])).toBeUndefined();
});
