import { byteSize, PullProgress } from "./pull-progress.js";

const MiB = 1024 * 1024;

test("before any layer is known there is no progress", () => {
  const progress = new PullProgress(0);
  progress.take({ status: "Pulling from library/redis", id: "3.2" });
  expect(progress.text(1000)).toBe("No progress");
});

test("tells layers, bytes and how long the rest takes", () => {
  const progress = new PullProgress(10_000);
  for (const id of ["a", "b", "c", "d"]) progress.take({ status: "Pulling fs layer", id });
  progress.take({ status: "Already exists", id: "d" });
  progress.take({ status: "Downloading", id: "a", progressDetail: { current: 2 * MiB, total: 8 * MiB } });
  progress.take({ status: "Downloading", id: "b", progressDetail: { current: MiB, total: 4 * MiB } });
  expect(progress.text(16_000)).toBe("Pulled 1/4 (3MiB/12MiB) layers: 1 waiting/2 pulling - est 18.0s remaining");
  progress.take({ status: "Download complete", id: "a" });
  progress.take({ status: "Extracting", id: "a", progressDetail: { current: 5, total: 8 * MiB } });
  progress.take({ status: "Pull complete", id: "b" });
  progress.take({ status: "Pull complete", id: "c" });
  expect(progress.text(20_000)).toBe("Pulled 3/4 (12MiB/12MiB) layers: 0 waiting/1 pulling");
});

test("that the engine tries again is no progress", () => {
  const progress = new PullProgress(0);
  expect(progress.take({ status: "Retrying in 5 seconds", id: "a" })).toBe(false);
  expect(progress.take({ status: "Downloading", id: "a", progressDetail: { current: 1, total: 2 } })).toBe(true);
});

test("more layers than an image can have are not kept", () => {
  const progress = new PullProgress(0);
  for (let i = 0; i < 5000; i++) progress.take({ status: "Waiting", id: String(i) });
  expect(progress.text(1)).toBe("Pulled 0/1000 (0B/0B) layers: 1000 waiting/0 pulling");
});

test.each([
  [0, "0B"],
  [1023, "1023B"],
  [1024, "1KiB"],
  [1536, "1.5KiB"],
  [12_345_678, "11.77MiB"],
  [5 * 1024 ** 4, "5TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});
