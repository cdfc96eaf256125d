// How fast a task's output is taken: the shim's own reader and rotating log against the least that Node can do, a bare copy
// from a FIFO to a file, in turn. node bench/log-intake.mjs [MiB] [rounds]; needs `npm run build`.
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OutputPump } from "../dist/drivers/shim/output-pump.js";
import { RotatingLog } from "../dist/drivers/shim/rotating-log.js";

const mib = Number(process.argv[2] ?? 512);
const rounds = Number(process.argv[3] ?? 5);
const dir = mkdtempSync(join(tmpdir(), "allocd-bench-"));

/** The time that `read(fd)` takes from the first byte of a chatty process to its end. @returns MiB/s. */
async function intake(read) {
  const fifo = join(dir, "fifo");
  execFileSync("mkfifo", [fifo]);
  const ours = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const theirs = openSync(fifo, constants.O_RDWR);
  const started = performance.now();
  spawn("head", ["-c", String(mib * 1024 * 1024), "/dev/zero"], { stdio: ["ignore", theirs, "ignore"] });
  closeSync(theirs);
  await read(ours);
  const seconds = (performance.now() - started) / 1000;
  rmSync(fifo);
  return mib / seconds;
}

const bare = (fd) =>
  new Promise((resolve) => {
    const out = openSync(join(dir, "bare"), "w");
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const onread = {
      buffer,
      callback: (length) => {
        writeSync(out, buffer, 0, length);
        return true;
      },
    };
    const socket = new Socket({ fd, readable: true, writable: false, onread });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      closeSync(out);
      rmSync(join(dir, "bare"));
      resolve();
    });
  });

async function shim(fd) {
  const logs = join(dir, "logs");
  mkdirSync(logs);
  const log = new RotatingLog({ dir: logs, name: "t.stdout", maxFiles: 5, maxFileBytes: 20 * 1024 * 1024 });
  await new OutputPump(fd, "fifo", (bytes) => {
    log.write(bytes);
    return true;
  }).ended;
  log.close();
  rmSync(logs, { recursive: true });
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const figures = { bare: [], shim: [] };
try {
  await intake(bare);
  for (let round = 0; round < rounds; round++) {
    figures.bare.push(await intake(bare));
    figures.shim.push(await intake(shim));
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
const [least, ours] = [median(figures.bare), median(figures.shim)];
console.log(
  `bare copy ${least.toFixed(0)} MiB/s, shim with rotation ${ours.toFixed(0)} MiB/s: ${(ours / least).toFixed(2)} of it (medians of ${rounds})`,
);
