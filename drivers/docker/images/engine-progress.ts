import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { engineFailure } from "../engine-failure.js";
import type { Time } from "../time.js";
import { isRecoverable, PullFailure } from "./pull-failure.js";
import type { ProgressLine } from "./pull-progress.js";

/** The engine's lines are short; a longer one is none of its own. */
const maxLineLength = 1024 * 1024;
/** How often it is looked whether anything moves, as parts of the limit. */
const looks = 8;

export interface EngineWork {
  /**
   * Asks the engine; what it answers is its progress.
   *
   * @param moved says that the work goes on before there is an answer.
   */
  open(signal: AbortSignal, moved: () => void): Promise<NodeJS.ReadableStream>;
  /** @returns whether the line says that the work goes on. */
  take(line: ProgressLine): boolean;
  /** The work is given up when nothing moves for so many milliseconds. */
  readonly stallMs: number;
  /** Aborted, the work is given up. */
  readonly signal: AbortSignal;
  readonly time: Time;
}

/**
 * Follows a piece of the engine's work to its end. There is no limit to its whole time: a large image by a slow line is no
 * failure (hashicorp/nomad#28496), one whose bytes do not come is.
 *
 * The stream is read here: dockerode's followProgress keeps every line, and takes one that says "error" for a success.
 *
 * @throws PullFailure.
 */
export async function followEngine(work: EngineWork): Promise<void> {
  const over = new AbortController();
  const stalled = new AbortController();
  let movedAt = work.time.monotonicMs();
  const moved = (): void => {
    movedAt = work.time.monotonicMs();
  };
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await work.time.sleep(work.stallMs / looks, over.signal);
      if (!over.signal.aborted && work.time.monotonicMs() - movedAt >= work.stallMs) stalled.abort();
      if (stalled.signal.aborted) return;
    }
  };
  void watch();
  try {
    const stream = await work.open(AbortSignal.any([work.signal, stalled.signal]), moved);
    for await (const line of progressLines(stream as Readable)) {
      if (work.take(line)) moved();
      const wrong = line.errorDetail?.message ?? line.error;
      if (wrong !== undefined) throw new PullFailure(wrong, isRecoverable(0, wrong));
    }
  } catch (error) {
    if (error instanceof PullFailure) throw error;
    if (work.signal.aborted) throw new PullFailure("it was given up", true, { cause: error });
    if (stalled.signal.aborted) throw new PullFailure(`no progress for ${work.stallMs / 1000} s`, true, { cause: error });
    const { status, message } = engineFailure(error);
    throw new PullFailure(message, isRecoverable(status, message), { cause: error });
  } finally {
    over.abort();
  }
}

/** @throws Error when the stream breaks, or is none of JSON lines. */
async function* progressLines(stream: Readable): AsyncGenerator<ProgressLine> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLineLength) throw new Error("the engine's progress can not be read: a line has no end");
    for (const line of lines) if (line.trim() !== "") yield parse(line);
  }
  if (rest.trim() !== "") yield parse(rest);
}

function parse(line: string): ProgressLine {
  try {
    return JSON.parse(line) as ProgressLine;
  } catch (cause) {
    throw new Error(`the engine's progress can not be read: ${line.slice(0, 100)}`, { cause });
  }
}
