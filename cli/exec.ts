import WebSocket from "ws";
import { AgentClient, type ConnectFlags } from "./client.js";

export interface ExecFlags extends ConnectFlags {
  readonly task?: string;
  readonly tty: boolean;
}

interface Frame {
  readonly stdout?: { readonly data?: string };
  readonly stderr?: { readonly data?: string };
  readonly exited?: boolean;
  readonly result?: { readonly exit_code?: number };
}

/** The exit code for failures of ours, as ssh has it: the command's own codes stay apart from it as well as can be. */
const failed = 255;

/** Runs a command beside a task and ends with its exit code. */
export async function runExec(prefix: string, command: readonly string[], flags: ExecFlags): Promise<void> {
  process.exitCode = failed;
  const client = new AgentClient(flags);
  const { id, task } = await findTask(client, prefix, flags);
  const tty = flags.tty && Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const query = new URLSearchParams({ task, command: JSON.stringify(command), tty: String(tty) });
  const { url, options } = client.socket(`/v1/client/allocation/${id}/exec?${query}`);
  const ws = new WebSocket(url, { ...options, perMessageDeflate: false });
  const restore = connectTerminal(ws, tty);
  try {
    process.exitCode = await result(ws);
  } finally {
    restore();
  }
}

function result(ws: WebSocket): Promise<number> {
  return new Promise((resolve, reject) => {
    let code: number | undefined;
    ws.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      if (frame.stdout?.data) write(ws, process.stdout, frame.stdout.data);
      if (frame.stderr?.data) write(ws, process.stderr, frame.stderr.data);
      if (frame.exited) code = frame.result?.exit_code ?? 0;
    });
    ws.on("error", reject);
    for (const stream of [process.stdout, process.stderr]) {
      // Nobody reads it any more: the command has no reason to go on, as in a pipe of the shell.
      stream.on("error", () => {
        ws.terminate();
        resolve(failed);
      });
    }
    ws.on("close", (_code, reason) => {
      if (code !== undefined) resolve(code);
      else reject(new Error(reason.length > 0 ? reason.toString() : "the connection was lost before the command's end"));
    });
  });
}

/** A reader of ours that is slow holds up the command and nothing else. */
function write(ws: WebSocket, stream: NodeJS.WriteStream, data: string): void {
  if (stream.write(Buffer.from(data, "base64"))) return;
  ws.pause();
  stream.once("drain", () => ws.resume());
}

/** @returns a function that gives the terminal back. */
function connectTerminal(ws: WebSocket, tty: boolean): () => void {
  const { stdin, stdout } = process;
  const send = (frame: object, sent: () => void = () => {}): void => {
    if (ws.readyState === WebSocket.OPEN) ws.send(JSON.stringify(frame), sent);
  };
  const size = (): void => send({ tty_size: { height: stdout.rows, width: stdout.columns } });
  ws.once("open", () => {
    if (tty) {
      size();
      stdout.on("resize", size);
      stdin.setRawMode(true);
    }
    stdin.on("data", (bytes: Buffer) => {
      // No more is read than the command takes.
      stdin.pause();
      send({ stdin: { data: bytes.toString("base64") } }, () => stdin.resume());
    });
    stdin.on("end", () => send({ stdin: { close: true } }));
  });
  return () => {
    if (tty) stdin.setRawMode(false);
    stdout.off("resize", size);
    stdin.destroy();
  };
}

interface Stub {
  readonly ID: string;
  readonly TaskStates: Readonly<Record<string, { readonly State: string }>> | null;
}

async function findTask(client: AgentClient, prefix: string, flags: ExecFlags): Promise<{ readonly id: string; readonly task: string }> {
  // The API wants an even number of digits; what is left over is compared here.
  const even = prefix.slice(0, prefix.length - (prefix.replaceAll("-", "").length % 2));
  const body = await client.get(`/v1/allocations?namespace=*&prefix=${encodeURIComponent(even)}`);
  const found = (JSON.parse(body) as Stub[]).filter((alloc) => alloc.ID.startsWith(prefix));
  const [alloc] = found;
  if (!alloc) throw new Error(`no allocation begins with "${prefix}"`);
  if (found.length > 1)
    throw new Error(`"${prefix}" is the beginning of ${found.length} allocations: ${found.map(({ ID }) => ID).join(", ")}`);
  const tasks = Object.keys(alloc.TaskStates ?? {});
  const task = flags.task ?? (tasks.length === 1 ? tasks[0] : undefined);
  if (task === undefined) throw new Error(`--task is needed: the allocation has ${tasks.length === 0 ? "no tasks yet" : tasks.join(", ")}`);
  return { id: alloc.ID, task };
}
