import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, WebSocket, WebSocketServer } from "ws";
import type { AuditEntry } from "../../agent/audit/audit-log.js";
import type { Clock } from "../../agent/clock.js";
import { AllocdError } from "../../agent/errors.js";
import type { Logger } from "../../agent/log.js";
import { DriverError, type TaskRun, type TerminalSize } from "../../drivers/driver.js";
import type { Caller } from "../acl/caller.js";
import { type AuditSink, whoOf } from "../audit.js";
import type { UpgradeHandler } from "../deps.js";
import type { ExecAccess } from "./exec-access.js";
import { ExecConnection, type ExecConnectionOptions } from "./exec-connection.js";
import { BadFrame, closeReason, parseHandshake } from "./exec-frames.js";
import { ExecRefused, type ExecRequest, readExecRequest, wantsHandshake } from "./exec-request.js";
import { SessionCounts, type SessionLimits } from "./session-counts.js";

/** How long a terminal waits for its client to tell its size, so that the first look of the program is right. */
const firstSizeMs = 150;
const defaultSize: TerminalSize = { rows: 24, cols: 80 };
const handshakeMs = 10_000;
/** A client that has not answered our close by then is cut off. */
const closeDeadlineMs = 5_000;
/** Above `maxMessageBytes` a message is answered with a reason; above this it is not even collected. */
const maxPayloadFactor = 4;

export interface ExecOptions extends ExecConnectionOptions, SessionLimits {}

export const defaultExecOptions: ExecOptions = {
  pingMs: 15_000,
  maxMessageBytes: 1024 * 1024,
  maxSessions: 512,
  maxSessionsPerAllocation: 512,
  maxSessionsPerToken: 512,
};

interface Session {
  readonly id: string;
  readonly caller: Caller;
  readonly request: ExecRequest;
  /** Monotonic milliseconds. */
  readonly started: number;
}

export interface ExecTargets {
  /** The run that a command is to be started beside. @throws AllocdError that says why there is none. */
  execTarget(allocId: string, task: string): TaskRun;
}

/** A message that is too large to be collected is a mistake like any other in a frame: 1008, not ws's own 1009. */
class ExecSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    if (code === 1009) super.close(1008, "the message is too large");
    else super.close(code, reason);
  }
}

/** GET /v1/client/allocation/:id/exec. Mistakes of the caller are told as close frames, as the reference and its SDKs do. */
export class ExecEndpoint implements UpgradeHandler {
  readonly #server: WebSocketServer;
  readonly #open = new Set<ExecConnection>();
  readonly #counts: SessionCounts;

  constructor(
    private readonly deps: {
      readonly targets: ExecTargets;
      readonly access: ExecAccess;
      /** Where sessions are recorded. */
      readonly audit?: AuditSink | undefined;
      readonly clock: Clock;
      readonly log: Logger;
      readonly options: ExecOptions;
    },
  ) {
    this.#counts = new SessionCounts(deps.options);
    // Compression is off: it fragments memory and delays echoes (ws#1202). @types/ws does not know closeTimeout yet.
    const options: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      WebSocket: ExecSocket,
      perMessageDeflate: false,
      closeTimeout: closeDeadlineMs,
      maxPayload: deps.options.maxMessageBytes * maxPayloadFactor,
    };
    this.#server = new WebSocketServer(options);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = new URL(request.url ?? "", "http://agent");
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      // What is no WebSocket ws has answered with a close frame by then, and it reads on: to cut the connection while something is
      // unread would reset it, and take the frame away from the client. `closeTimeout` bounds that.
      ws.on("error", () => {});
      this.#serve(ws, socket, request, url).catch((error: unknown) => this.#refuse(ws, error));
    });
  }

  /** Ends all sessions: the agent goes away. */
  close(): void {
    for (const connection of this.#open) connection.close(1001, "the agent is ending");
    this.#server.close();
  }

  async #serve(ws: WebSocket, socket: Duplex, upgrade: IncomingMessage, url: URL): Promise<void> {
    const { access, targets } = this.deps;
    const token = wantsHandshake(url.searchParams) ? await this.#handshake(ws) : undefined;
    const caller = access.callerOf(upgrade, token);
    const request = readExecRequest(url);
    const check = (): void => access.check(caller, request);
    check();
    const run = targets.execTarget(request.allocId, request.task);
    const session: Session = { id: randomUUID(), caller, request, started: this.deps.clock.monotonicMs() };
    const release = this.#counts.take(request.allocId, caller.identity.accessor);
    ws.once("close", release);
    const connection = new ExecConnection(ws, socket, request.tty, this.deps.options);
    this.#open.add(connection);
    ws.once("close", () => this.#open.delete(connection));
    ws.once(
      "close",
      caller.whileAllowed(check, () => connection.cutOff(1008, "Permission denied")),
    );
    await this.#start(connection, run, session);
  }

  async #start(connection: ExecConnection, run: TaskRun, session: Session): Promise<void> {
    const { id: sessionId, request } = session;
    const { allocId, task, command, tty } = request;
    const log = this.deps.log.child({ allocId, task, session: sessionId });
    const record = (result: AuditEntry): void => void this.#record(session, { stage: "complete", ...result }).catch(() => {});
    const size = tty ? await this.#firstSize(connection) : null;
    try {
      await this.#record(session, { stage: "received" });
      connection.attach(
        await run.exec(
          { sessionId, command, tty: size },
          {
            output: (stream, bytes) => connection.output(stream, bytes),
            closed: (stream) => connection.closed(stream),
            exited: (exit) => {
              log.info({ command: command[0], tty, exitCode: exit.exitCode, reason: exit.reason }, "exec session ended");
              record({ exitCode: exit.exitCode, reason: exit.reason || undefined });
              connection.exited(exit);
            },
          },
        ),
      );
      log.debug({ command: command[0], tty }, "exec session started");
    } catch (error) {
      const { code, message } = refusal(error);
      if (!(error instanceof DriverError || error instanceof AllocdError)) log.error({ err: error }, "exec session failed to start");
      record({ error: message });
      connection.close(code, message);
    }
  }

  async #firstSize(connection: ExecConnection): Promise<TerminalSize> {
    const waited = new AbortController();
    const size = await Promise.race([connection.firstSize, this.deps.clock.sleep(firstSizeMs, waited.signal)]);
    waited.abort();
    return size ?? defaultSize;
  }

  /** Arguments are only counted: passwords are given in them. @throws AllocdError when there must be a record and can be none. */
  async #record({ id, caller, request, started }: Session, more: AuditEntry): Promise<void> {
    await this.deps.audit?.record({
      ...whoOf(caller),
      action: "exec",
      session: id,
      alloc: request.allocId,
      task: request.task,
      command: request.command[0],
      arguments: request.command.length - 1,
      tty: request.tty,
      ...(more.stage === "complete" ? { durationMs: Math.round(this.deps.clock.monotonicMs() - started) } : {}),
      ...more,
    });
  }

  #handshake(ws: WebSocket): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new ExecRefused(1008, `no handshake within ${handshakeMs / 1000} s`)), handshakeMs);
      ws.once("close", () => clearTimeout(timer));
      ws.once("message", (data) => {
        clearTimeout(timer);
        // What follows must not come before somebody listens.
        ws.pause();
        try {
          resolve(parseHandshake(String(data)));
        } catch (error) {
          reject(error);
        } finally {
          setImmediate(() => ws.resume());
        }
      });
    });
  }

  #refuse(ws: WebSocket, error: unknown): void {
    const { code, message } = refusal(error);
    if (code === 1011 && !(error instanceof AllocdError)) this.deps.log.error({ err: error }, "exec failed");
    ws.close(code, closeReason(message));
  }
}

/** Codes as the reference maps them: 1008 for a caller's mistake, 1011 for what failed on our side. */
function refusal(error: unknown): { readonly code: number; readonly message: string } {
  if (error instanceof ExecRefused || error instanceof BadFrame) return error;
  // The reference has no code of its own for a refusal.
  if (error instanceof AllocdError && error.code === "permission-denied") return { code: 1011, message: error.message };
  if (error instanceof AllocdError) return { code: error.status < 500 ? 1008 : 1011, message: error.message };
  if (error instanceof DriverError) return { code: 1011, message: error.message };
  return { code: 1011, message: "the session could not be started" };
}
