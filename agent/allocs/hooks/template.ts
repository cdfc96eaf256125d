import { interpolateText, nodeLookup, taskLookup } from "../../model/interpolate.js";
import type { TemplateSources } from "../../templates/task-data.js";
import type { TaskTemplates } from "../../templates/task-templates.js";
import type { TemplateOptions } from "../../templates/template-options.js";
import { fileOwner } from "../owner.js";
import type { TaskHook, TaskHookContext } from "./task-hook.js";

export interface TemplateHookDeps {
  readonly sources: TemplateSources;
  readonly options: TemplateOptions;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Renders the templates of one task before it starts, and keeps them up to date while it lives. */
export class TemplateHook implements TaskHook {
  readonly name = "template";
  readonly #deps: TemplateHookDeps;
  #current: { readonly templates: TaskTemplates; readonly lifetime: AbortSignal } | null = null;

  constructor(deps: TemplateHookDeps) {
    this.#deps = deps;
  }

  async prestart(context: TaskHookContext): Promise<void> {
    const { task, env, signal, lifetime } = context;
    if ((task.Templates ?? []).length === 0) return;
    const running = this.#current?.lifetime === lifetime ? this.#current.templates : null;
    if (running) {
      if (task.RestartPolicy.RenderTemplates) await running.rewrite();
      Object.assign(env, running.env);
      return;
    }
    const templates = await this.#open(context);
    if ((await templates.start(signal, lifetime)) === undefined) return;
    this.#current = { templates, lifetime };
    Object.assign(env, templates.env);
  }

  /** What has changed while no agent was there is made up for. */
  async resume(context: TaskHookContext): Promise<void> {
    const { task, lifetime } = context;
    if ((task.Templates ?? []).length === 0) return;
    const templates = await this.#open(context);
    const changed = await templates.start(lifetime, lifetime);
    if (changed === undefined) return;
    this.#current = { templates, lifetime };
    await templates.act(changed, lifetime);
  }

  /** The interpreter is loaded with the first template of the host. */
  async #open({ alloc, task, node, dirs, env, control, clock, log, emit }: TaskHookContext): Promise<TaskTemplates> {
    const { TaskTemplates } = await import("../../templates/task-templates.js");
    const { sources, options, random } = this.#deps;
    const lookup = taskLookup({ ...env }, nodeLookup(node, alloc.Job.Region));
    return TaskTemplates.open({
      alloc,
      task: task.Name,
      templates: task.Templates ?? [],
      dirs,
      env: { ...env },
      owner: await fileOwner(task.User, log),
      sources,
      options,
      control,
      emit,
      interpolate: (text) => interpolateText(text, lookup),
      clock,
      log,
      random,
    });
  }
}
