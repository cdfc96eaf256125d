import type { TaskDirs } from "../../drivers/driver.js";
import type { Owner } from "../allocs/owner.js";
import type { TaskControl } from "../allocs/task-control.js";
import { TaskFailure } from "../allocs/task-failure.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Allocation } from "../model/allocation.js";
import { failedValidation, templateFailed, templateMissing } from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { Template } from "../model/template.js";
import type { UnixNano } from "../model/units.js";
import { actOnChanges, type ChangeDeps } from "./change-actions.js";
import { EnvFileError, parseEnvFile } from "./env-file.js";
import { TemplateSyntaxError } from "./go/errors.js";
import type { Rendered } from "./render.js";
import { TaskData, type TemplateSources } from "./task-data.js";
import { TemplateFile } from "./template-file.js";
import type { TemplateOptions } from "./template-options.js";
import { Wakeup } from "./wakeup.js";

export interface TaskTemplatesDeps {
  readonly alloc: Allocation;
  readonly task: string;
  readonly templates: readonly Template[];
  readonly dirs: TaskDirs;
  /** The task's variables without those of templates. */
  readonly env: Readonly<Record<string, string>>;
  readonly owner: Owner | null;
  readonly sources: TemplateSources;
  readonly options: TemplateOptions;
  readonly control: TaskControl;
  readonly emit: (event: (at: UnixNano) => TaskEvent) => void;
  readonly interpolate: (text: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

/** How long a start may wait for data until that is told. Source: reference behaviour §3.2. */
const missingEventMs = 3_000;
/** Files tell nobody of their changes. */
const filePollMs = 5_000;
const maxFileBytes = 4 << 20;
const nsPerMs = 1_000_000;

/** A change that waits for others to be taken with it. Monotonic milliseconds. */
interface Pending {
  readonly latest: number;
  due: number;
}

/** The templates of one task: rendered before it starts, and again when what they read has changed. */
export class TaskTemplates {
  readonly #deps: TaskTemplatesDeps;
  readonly #files: readonly TemplateFile[];
  readonly #data: TaskData;
  readonly #wakeup: Wakeup;
  #env: Readonly<Record<string, string>> = {};

  /** @throws TaskFailure with `Failed Validation` for a template that can not be read; Error that says why. */
  static async open(deps: TaskTemplatesDeps): Promise<TaskTemplates> {
    const { templates, dirs, env, owner, options, interpolate } = deps;
    try {
      const open = (spec: Template, i: number): Promise<TemplateFile> =>
        TemplateFile.open(spec, `Templates[${i}]`, { dirs, env, owner, options, interpolate });
      return new TaskTemplates(deps, await Promise.all(templates.map(open)));
    } catch (error) {
      if (!(error instanceof TemplateSyntaxError)) throw error;
      throw new TaskFailure(error.message, (at) => failedValidation(at, error.message), false, { cause: error });
    }
  }

  private constructor(deps: TaskTemplatesDeps, files: readonly TemplateFile[]) {
    const { alloc, task, dirs, env, sources, options } = deps;
    const { disableFileSandbox, region } = options;
    this.#deps = deps;
    this.#files = files;
    this.#data = new TaskData({ sources, alloc, task, dirs, env, options: { disableFileSandbox, maxFileBytes, region } });
    this.#wakeup = new Wakeup(deps.clock);
  }

  /** What templates with Envvars give the task. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /**
   * Writes all files once everything is there that they read, and follows changes from then on.
   *
   * @param signal ends the waiting.
   * @param lifetime ends the following.
   * @returns the templates whose files held something else; undefined when the signal came first.
   * @throws TaskFailure
   */
  async start(signal: AbortSignal, lifetime: AbortSignal): Promise<readonly Template[] | undefined> {
    const end = this.#data.subscribe(() => this.#wakeup.wake());
    lifetime.addEventListener("abort", end, { once: true });
    const rendered = await this.#failing(() => this.#untilRendered(AbortSignal.any([signal, lifetime])));
    if (!rendered) return undefined;
    const changed: Template[] = [];
    for (const [file, { content }] of rendered) if (await file.write(content)) changed.push(file.spec);
    this.#readEnv();
    void this.#follow(lifetime);
    return changed;
  }

  /** Writes all files again as they are: the task may have changed them. @throws TaskFailure */
  async rewrite(): Promise<void> {
    await this.#failing(async () => {
      for (const file of this.#files) if (file.content) await file.write(file.content, true);
    });
  }

  /** Does what templates with a new content ask for. */
  act(changed: readonly Template[], signal: AbortSignal): Promise<void> {
    const { control, clock, log, emit, interpolate, random } = this.#deps;
    const deps: ChangeDeps = { control, clock, log, emit, interpolate, random };
    return actOnChanges(changed, deps, signal);
  }

  async #untilRendered(signal: AbortSignal): Promise<ReadonlyMap<TemplateFile, Rendered> | undefined> {
    let told = "";
    while (!signal.aborted) {
      this.#data.takeChanges();
      const rendered = await this.#renderAll(this.#files);
      const missing = [...new Set([...rendered.values()].flatMap((one) => one.missing))];
      if (missing.length === 0) return rendered;
      const names = missing.toSorted().join();
      const isNews = names !== told;
      const isWoken = await this.#wakeup.wait(isNews ? missingEventMs : this.#pollMs, signal);
      if (!isWoken && isNews && !signal.aborted) {
        told = names;
        this.#deps.emit((at) => templateMissing(at, missing));
      }
      await this.#data.readFiles();
    }
    return undefined;
  }

  /** Renders, and again with the files that turn out to be read. */
  async #renderAll(files: readonly TemplateFile[]): Promise<ReadonlyMap<TemplateFile, Rendered>> {
    const { clock, alloc, options } = this.#deps;
    const scope = {
      namespace: alloc.Namespace,
      region: options.region,
      now: () => clock.now(),
      recall: this.#data.recall.bind(this.#data),
    };
    for (;;) {
      const rendered = new Map(files.map((file) => [file, file.render(scope)] as const));
      const read = [...rendered.values()]
        .flatMap(({ used }) => [...used.values()])
        .flatMap((one) => (one.kind === "file" ? [one.path] : []));
      const unread = read.filter((path) => !this.#data.isKnownFile(path));
      if (unread.length === 0 || !(await this.#data.readFiles(unread))) return rendered;
    }
  }

  get #pollMs(): number | undefined {
    return this.#data.hasFiles ? filePollMs : undefined;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, control, log } = this.#deps;
    const pending = new Map<TemplateFile, Pending>();
    try {
      while (!signal.aborted) {
        const next = Math.min(...[...pending.values()].map(({ due }) => due));
        const ms = Number.isFinite(next) ? Math.max(1, next - clock.monotonicMs()) : this.#pollMs;
        await this.#wakeup.wait(ms, signal);
        if (signal.aborted) return;
        if (this.#data.hasFiles) await this.#data.readFiles();
        this.#note(pending);
        const now = clock.monotonicMs();
        const due = [...pending].filter(([, one]) => one.due <= now).map(([file]) => file);
        for (const file of due) pending.delete(file);
        if (due.length > 0) await this.act(await this.#again(due), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, "a template failed while its task runs");
      const failure = error instanceof TaskFailure ? error : failureOf(error);
      control.fail(failure.event);
    }
  }

  /** Collects changes: each one puts its templates off by the shortest wait, up to the longest. */
  #note(pending: Map<TemplateFile, Pending>): void {
    const { clock, options } = this.#deps;
    const touches = this.#data.takeChanges();
    const now = clock.monotonicMs();
    for (const file of this.#files) {
      const { Wait, Once } = file.spec;
      if (Once || !touches(file.used.values())) continue;
      const min = Wait ? Number(Wait.Min) / nsPerMs : options.waitMinMs;
      const max = Wait ? Number(Wait.Max) / nsPerMs : options.waitMaxMs;
      const latest = pending.get(file)?.latest ?? now + max;
      pending.set(file, { latest, due: Math.min(now + min, latest) });
    }
  }

  /** @returns the templates with a new content. What is missing now leaves the file as it is. */
  async #again(files: readonly TemplateFile[]): Promise<readonly Template[]> {
    return this.#failing(async () => {
      const changed: Template[] = [];
      for (const [file, { content, missing }] of await this.#renderAll(files)) {
        if (missing.length > 0 || file.content?.equals(content)) continue;
        await file.write(content);
        changed.push(file.spec);
      }
      if (changed.some(({ Envvars }) => Envvars)) this.#readEnv();
      if (changed.length > 0) this.#deps.log.info({ files: changed.map(({ DestPath }) => DestPath) }, "templates have a new content");
      return changed;
    });
  }

  /** @throws TaskFailure */
  #readEnv(): void {
    try {
      const files = this.#files.filter(({ spec }) => spec.Envvars);
      this.#env = Object.assign({}, ...files.map(({ content }) => parseEnvFile(content?.toString("utf8") ?? ""))) as Record<string, string>;
    } catch (error) {
      if (!(error instanceof EnvFileError)) throw error;
      const message = `Template failed to read environment variables: ${error.message}`;
      throw new TaskFailure(message, (at) => templateFailed(at, message), false, { cause: error });
    }
  }

  async #failing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof TaskFailure ? error : failureOf(error);
    }
  }
}

/** Source of the text: reference behaviour §3.2. */
function failureOf(error: unknown): TaskFailure {
  const message = `Template failed: ${error instanceof Error ? error.message : String(error)}`;
  return new TaskFailure(message, (at) => templateFailed(at, message), false, { cause: error });
}
