import { connect } from "node:net";
import { ShimServer } from "./server.js";
import { Shim } from "./shim.js";

/*
 * The shim's process: `node main.js <runtime directory>`. Its log is one JSON line a message on stderr.
 */

const log = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), name: "shim", pid: process.pid, msg: message, ...fields })}\n`);
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const end = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });

const dir = process.argv[2];
if (!dir) throw new Error("usage: node main.js RUNTIME_DIR");
const path = `${dir}/shim.sock`;

if (await answers(path)) {
  log("another shim answers here already");
} else {
  // A defect in the handling of one task must not cost the others: the records allow to go on.
  process.on("uncaughtException", (error) => log("defect", { error: error.stack }));
  process.on("unhandledRejection", (error) => log("defect", { error: error instanceof Error ? error.stack : String(error) }));
  // A terminal that the agent was started from, and its Ctrl-C, are no business of the tasks.
  process.on("SIGHUP", () => {});
  process.on("SIGINT", () => {});
  const shim = new Shim(dir, log);
  const server = new ShimServer(shim, path);
  await server.listen();
  log("ready");
  process.on("SIGTERM", () => {
    server.close();
    void shim.close().then(() => process.exit(0));
  });
}
