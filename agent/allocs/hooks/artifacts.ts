import type { ArtifactFetcher } from "../../artifacts/fetcher.js";
import type { Artifact } from "../../model/artifact.js";
import { interpolateText, nodeLookup, taskLookup } from "../../model/interpolate.js";
import { downloadingArtifacts, failedArtifactDownload, hookMessage } from "../../model/task-events.js";
import { taskPath } from "../fs/task-path.js";
import { EscapeError } from "../fs/write-inside.js";
import { fileOwner } from "../owner.js";
import { messageOf, TaskFailure } from "../task-failure.js";
import type { TaskHook, TaskHookContext } from "./task-hook.js";

/** When a long download is told of first, and how often then. Milliseconds. */
const firstProgressMs = 15_000;
const progressMs = 60_000;

/** Fetches a task's artifacts, once for all of its runs. */
export class ArtifactsHook implements TaskHook {
  readonly name = "artifacts";
  readonly #fetcher: () => Promise<ArtifactFetcher>;

  /** @param fetcher loads what fetching needs, when the first task wants it. */
  constructor(fetcher: () => Promise<ArtifactFetcher>) {
    this.#fetcher = fetcher;
  }

  async prestart(context: TaskHookContext): Promise<void> {
    const { alloc, task, node, env, isRepeat, emit } = context;
    const artifacts = task.Artifacts ?? [];
    if (isRepeat || artifacts.length === 0) return;
    emit(downloadingArtifacts);
    const lookup = taskLookup({ ...env }, nodeLookup(node, alloc.Job.Region));
    const texts = (of: Readonly<Record<string, string>> | null): Record<string, string> | null =>
      of && Object.fromEntries(Object.entries(of).map(([name, text]) => [name, interpolateText(text, lookup)]));
    const fetcher = await this.#fetcher();
    // One that fails makes the others useless.
    const failed = new AbortController();
    await Promise.all(
      artifacts.map(async (given) => {
        const artifact = {
          ...given,
          GetterSource: interpolateText(given.GetterSource, lookup),
          GetterOptions: texts(given.GetterOptions),
          GetterHeaders: texts(given.GetterHeaders),
          RelativeDest: interpolateText(given.RelativeDest, lookup),
        };
        await fetchOne(artifact, fetcher, context, failed).catch((error: unknown) => {
          failed.abort();
          throw error;
        });
      }),
    );
  }
}

async function fetchOne(artifact: Artifact, fetcher: ArtifactFetcher, context: TaskHookContext, failed: AbortController): Promise<void> {
  const { task, dirs, env, signal, log, clock, emit } = context;
  const { ArtifactError } = await import("../../artifacts/artifact-error.js");
  const { showSource } = await import("../../artifacts/source.js");
  const source = showSource(artifact.GetterSource);
  let told = clock.monotonicMs() - progressMs + firstProgressMs;
  try {
    await fetcher.fetch({
      artifact,
      dirs,
      destination: taskPath(artifact.RelativeDest, dirs, env, true),
      owner: await fileOwner(task.User, log),
      home: env.HOME ?? "/",
      signal: AbortSignal.any([signal, failed.signal]),
      progress: (bytes, total) => {
        if (clock.monotonicMs() - told < progressMs) return;
        told = clock.monotonicMs();
        const text = `Downloading artifact "${source}": ${mebibytes(bytes)}${total === undefined ? "" : ` of ${mebibytes(total)}`}`;
        log.info({ source, bytes, total }, "an artifact is being downloaded");
        emit((at) => hookMessage(at, text));
      },
    });
  } catch (error) {
    if (signal.aborted) return;
    const why =
      error instanceof EscapeError ? `artifact destination path escapes the task directory: ${artifact.RelativeDest}` : messageOf(error);
    const text = `failed to download artifact "${source}": ${why}`;
    const recoverable = error instanceof ArtifactError && error.remedy !== "none";
    throw new TaskFailure(text, (at) => failedArtifactDownload(at, text), recoverable, { cause: error });
  }
}

const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
