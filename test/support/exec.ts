import WebSocket from "ws";
import type { TestAgent } from "./agent.js";
import { type HostProcess, processesAbout } from "./host.js";
import { job, shell } from "./jobs.js";
import { waitFor } from "./wait.js";

export interface ExecOptions {
  readonly tty?: boolean;
  readonly task?: string;
  /** Takes the bytes of stdout as they come; without it they are kept. */
  readonly sink?: (bytes: Buffer) => void;
  /** Instead of the agent's own. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface ServerFrame {
  readonly stdout?: { readonly data?: string; readonly close?: boolean };
  readonly stderr?: { readonly data?: string; readonly close?: boolean };
  readonly exited?: boolean;
  readonly result?: { readonly exit_code?: number };
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** How much of stdin goes into one frame. */
const pieceBytes = 64 * 1024;

export const execPath = (allocId: string, command: readonly string[], { tty = false, task = "t" }: ExecOptions = {}): string =>
  `/v1/client/allocation/${allocId}/exec?${new URLSearchParams({ task, tty: String(tty), command: JSON.stringify(command) })}`;

/** A client of one exec session. */
export class ExecClient {
  readonly ws: WebSocket;
  /** What came, in order and without data and heartbeats: "stdout closed", "stderr closed", "exited". */
  readonly marks: string[] = [];
  readonly opened: Promise<void>;
  /** How it ended; 1006 when no close frame came. */
  readonly closed: Promise<Closed>;
  exitCode: number | undefined;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];

  constructor(agent: TestAgent, allocId: string, command: readonly string[], options: ExecOptions = {}) {
    this.ws = new WebSocket(agent.url.replace("http", "ws") + execPath(allocId, command, options), {
      perMessageDeflate: false,
      headers: options.headers ?? agent.headers,
    });
    const sink = options.sink ?? ((bytes: Buffer) => this.#stdout.push(bytes));
    this.ws.on("message", (data) => this.#frame(JSON.parse(String(data)) as ServerFrame, sink));
    // A failure is seen as a close without a frame.
    this.ws.on("error", () => {});
    this.opened = new Promise((resolve) => this.ws.once("open", () => resolve()));
    this.closed = new Promise((resolve) => this.ws.once("close", (code, reason) => resolve({ code, reason: reason.toString() })));
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  get stderr(): Buffer {
    return Buffer.concat(this.#stderr);
  }

  frame(frame: object | string): void {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Sends bytes to the command's stdin as fast as the connection takes them. */
  async stdin(bytes: Buffer | string): Promise<void> {
    const all = Buffer.from(bytes);
    for (let at = 0; at < all.length; at += pieceBytes) {
      const data = all.toString("base64", at, Math.min(all.length, at + pieceBytes));
      await new Promise<void>((resolve) => this.ws.send(JSON.stringify({ stdin: { data } }), () => resolve()));
    }
  }

  closeStdin(): void {
    this.frame({ stdin: { close: true } });
  }

  resize(rows: number, cols: number): void {
    this.frame({ tty_size: { height: rows, width: cols } });
  }

  said(text: string | RegExp): Promise<unknown> {
    return waitFor(`${text} in the output`, () => {
      const seen = this.stdout.toString("latin1");
      if (seen.match(text)) return true;
      throw new Error(JSON.stringify([seen.slice(-300), this.marks]));
    });
  }

  /** Goes as a client does whose network is cut. */
  drop(): void {
    this.ws.terminate();
  }

  /** @throws Error when the session has not ended in `ms`. */
  async end(ms = 20_000): Promise<Closed> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the session has not ended in ${ms} ms; seen: ${this.marks.join(", ")}`)), ms);
    });
    try {
      return await Promise.race([this.closed, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #frame(frame: ServerFrame, sink: (bytes: Buffer) => void): void {
    if (frame.stdout?.data) sink(Buffer.from(frame.stdout.data, "base64"));
    if (frame.stderr?.data) this.#stderr.push(Buffer.from(frame.stderr.data, "base64"));
    if (frame.stdout?.close) this.marks.push("stdout closed");
    if (frame.stderr?.close) this.marks.push("stderr closed");
    if (!frame.exited) return;
    this.marks.push("exited");
    this.exitCode = frame.result?.exit_code;
  }
}

/** Starts a task "t" that commands are run beside. @returns its allocation's id. */
export async function idleTask(agent: TestAgent, id = "idle", script = "exec sleep 1000"): Promise<string> {
  // An agent's own processes name its directory; a task's command does not.
  const commands = (): number => processesAbout(agent.root).filter(({ command }) => !command.includes(agent.root)).length;
  const before = commands();
  const { ID } = await agent.run(job(id, [shell("t", script, { Resources: { CPU: 50, MemoryMB: 400 } })]));
  // A task runs a moment before its process is there, which a count of processes must not miss.
  await waitFor("the task's process", () => commands() > before);
  return ID;
}

/** Runs a script in a session to its end. */
export async function execute(agent: TestAgent, allocId: string, script: string, options?: ExecOptions): Promise<ExecClient> {
  const client = new ExecClient(agent, allocId, ["/bin/sh", "-c", script], options);
  await client.end();
  return client;
}

/** Waits until of the agent's processes only those of `before` are left. @throws Error that names the others. */
export const onlyLeft = (agent: TestAgent, before: readonly HostProcess[]): Promise<unknown> =>
  waitFor("the commands of the sessions to be gone", () => {
    const more = processesAbout(agent.root).filter(({ pid }) => !before.some((one) => one.pid === pid));
    if (more.length > 0) throw new Error(more.map(({ pid, command }) => `${pid} ${command.slice(0, 80)}`).join(", "));
    return true;
  });

/** The process id of the agent's shim. */
export function shimPid(agent: TestAgent): number {
  const found = processesAbout(agent.root).find(({ command }) => command.includes("/shim/main.js"));
  if (!found) throw new Error("there is no shim");
  return found.pid;
}
