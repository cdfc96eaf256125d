import { randomUUID } from "node:crypto";
import type Docker from "dockerode";
import type { ExecProcess, OutputStream, TerminalSize } from "../../driver.js";
import { startContainerExec } from "../exec/start-container-exec.js";
import { quiet, realTime } from "./engine.js";

export interface ExecClientOptions {
  readonly tty?: TerminalSize | null;
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Without it all output is acknowledged as it comes. */
  readonly reads?: boolean;
}

/** A client of one session. */
export class ExecClient {
  /** What was told, in order and without output. */
  readonly marks: string[] = [];
  readonly exited: Promise<{ readonly exitCode: number; readonly reason: string }>;
  process!: ExecProcess;
  received = 0;
  readonly #output: Record<OutputStream, Buffer[]> = { 1: [], 2: [] };
  #reads: boolean;
  #owed = 0;
  #news: () => void = () => {};

  private constructor(reads: boolean, exited: ExecClient["exited"]) {
    this.#reads = reads;
    this.exited = exited;
  }

  /** @throws DriverError when the command can not be started. */
  static async start(
    docker: Docker,
    containerId: string,
    command: readonly string[],
    { tty = null, user = "", env = {}, reads = true }: ExecClientOptions = {},
  ): Promise<ExecClient> {
    let exit: (exit: { exitCode: number; reason: string }) => void = () => {};
    const client = new ExecClient(
      reads,
      new Promise((resolve) => {
        exit = resolve;
      }),
    );
    client.process = await startContainerExec({
      docker,
      containerId,
      spec: { sessionId: randomUUID(), command, tty },
      user,
      env,
      time: realTime,
      log: quiet,
      listener: {
        output: (stream, bytes) => client.#take(stream, bytes),
        closed: (stream) => client.marks.push(`closed ${stream}`),
        exited: ({ exitCode, reason }) => {
          client.marks.push("exited");
          exit({ exitCode, reason });
        },
      },
    });
    if (client.#reads && client.#owed > 0) client.#ack();
    return client;
  }

  bytes(stream: OutputStream = 1): Buffer {
    return Buffer.concat(this.#output[stream]);
  }

  text(stream: OutputStream = 1): string {
    return this.bytes(stream).toString();
  }

  /** Waits until the output holds it. @throws Error when the command ends before. */
  async said(pattern: RegExp): Promise<void> {
    let over = false;
    void this.exited.then(() => {
      over = true;
      this.#news();
    });
    while (!pattern.test(this.text())) {
      if (over) throw new Error(`the command ended and has not said ${pattern}: ${this.text().slice(-500)}`);
      await new Promise<void>((resolve) => {
        this.#news = resolve;
      });
    }
  }

  send(text: string, close = false): Promise<void> {
    return this.process.stdin(Buffer.from(text), close);
  }

  /** From now on output is acknowledged. */
  read(): void {
    this.#reads = true;
    this.#ack();
  }

  #take(stream: OutputStream, bytes: Buffer): void {
    this.#output[stream].push(Buffer.from(bytes));
    this.received += bytes.length;
    this.#owed += bytes.length;
    if (this.#reads && this.process) this.#ack();
    this.#news();
  }

  #ack(): void {
    const owed = this.#owed;
    this.#owed = 0;
    this.process.ack(owed);
  }
}
