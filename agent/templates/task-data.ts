import { open, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { TaskDirs } from "../../drivers/driver.js";
import { find } from "../allocs/fs/find.js";
import { holdDirectory } from "../allocs/fs/held.js";
import { taskPath } from "../allocs/fs/task-path.js";
import { EscapeError, readHeld } from "../allocs/fs/write-inside.js";
import type { Allocation } from "../model/allocation.js";
import { variableKey } from "../model/variable.js";
import type { StateWatch } from "../store/state-store.js";
import type { Variables } from "../vars/variables.js";
import { chosen, itemsValue, metadataValue, pointers, serviceStubValue, serviceValue } from "./data-values.js";
import { type Dependency, dependencyName } from "./dependency.js";
import { FunctionError } from "./go/errors.js";
import type { Value } from "./go/values.js";
import type { ServiceCatalog } from "./service-catalog.js";

/** Where the data of templates come from. */
export interface TemplateSources {
  readonly variables: Pick<Variables, "read" | "list">;
  readonly services: ServiceCatalog;
  readonly watch: Pick<StateWatch, "subscribe">;
}

export interface TaskDataDeps {
  readonly sources: TemplateSources;
  readonly alloc: Pick<Allocation, "Namespace" | "Job" | "TaskGroup">;
  readonly task: string;
  readonly dirs: TaskDirs;
  readonly env: Readonly<Record<string, string>>;
  readonly options: { readonly disableFileSandbox: boolean; readonly maxFileBytes: number; readonly region: string };
}

/** What the templates of one task read, and what of it has changed. */
export class TaskData {
  readonly #deps: TaskDataDeps;
  /** Contents by the path as a template names it; null is a file that is not there. */
  readonly #files = new Map<string, string | null>();
  readonly #changed = new Set<string>();
  readonly #readable: ReadonlySet<string>;

  constructor(deps: TaskDataDeps) {
    this.#deps = deps;
    const { Job, TaskGroup } = deps.alloc;
    const job = `nomad/jobs/${Job.ParentID || Job.ID}`;
    // Source: the reference's default access of a workload.
    this.#readable = new Set(["nomad/jobs", job, `${job}/${TaskGroup}`, `${job}/${TaskGroup}/${deps.task}`]);
  }

  /**
   * @returns undefined when it is not there yet, null when it is known not to be there.
   * @throws FunctionError when the task may not read it.
   */
  recall(dependency: Dependency): Value | undefined {
    const { sources, alloc, options } = this.#deps;
    switch (dependency.kind) {
      case "variable": {
        const { namespace, path, waits } = dependency;
        if (!this.#mayRead(namespace, path)) throw new FunctionError(`${dependencyName(dependency, options.region)}: Permission denied`);
        const variable = sources.variables.read({ namespace, path });
        return variable ? itemsValue(variable) : waits ? undefined : null;
      }
      case "variables": {
        const own = sources.variables
          .list()
          .filter(({ Namespace, Path }) => this.#mayRead(Namespace, Path) && Path.startsWith(dependency.prefix));
        return own.length === 0 && dependency.waits ? undefined : pointers(own.map(metadataValue));
      }
      case "service": {
        const all = sources.services.service(alloc.Namespace, dependency.name);
        const tagged = all.filter(({ Tags }) => dependency.tag === "" || Tags.includes(dependency.tag));
        return pointers(chosen(tagged, dependency.choose).map(serviceValue));
      }
      case "services":
        return pointers(sources.services.services(alloc.Namespace).map(serviceStubValue));
      case "file":
        this.#place(dependency.path);
        return this.#files.get(dependency.path) ?? undefined;
    }
  }

  /** Calls the listener when something may have changed, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    const { watch, services } = this.#deps.sources;
    const note = (key: string): void => {
      this.#changed.add(key);
      listener();
    };
    const noteVariable = (namespace: string, path: string): void => {
      if (!this.#mayRead(namespace, path)) return;
      this.#changed.add("vars");
      note(variableKeyOf(namespace, path));
    };
    const ends = [
      watch.subscribe((changes) => {
        for (const change of changes) {
          if (change.kind === "variable") noteVariable(change.variable.Namespace, change.variable.Path);
          if (change.kind === "variable-delete") noteVariable(change.namespace, change.path);
        }
      }),
      services.subscribe(() => note("services")),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** Forgets what has changed, and says whether a template that has read these is touched by it. */
  takeChanges(): (used: Iterable<Dependency>) => boolean {
    const changed = new Set(this.#changed);
    this.#changed.clear();
    return (used) => [...used].some((dependency) => keysOf(dependency).some((key) => changed.has(key)));
  }

  /** Whether files are read: they tell nobody of their changes. */
  get hasFiles(): boolean {
    return this.#files.size > 0;
  }

  /**
   * Reads files that are named here for the first time, or all that are known.
   *
   * @returns whether one of them is another than before.
   */
  async readFiles(names: Iterable<string> = this.#files.keys()): Promise<boolean> {
    let isChanged = false;
    for (const name of [...names]) {
      const content = await this.#read(name);
      if (this.#files.has(name) && this.#files.get(name) === content) continue;
      isChanged ||= content !== null || this.#files.has(name);
      this.#files.set(name, content);
      this.#changed.add(`file:${name}`);
    }
    return isChanged;
  }

  isKnownFile(name: string): boolean {
    return this.#files.has(name);
  }

  #mayRead(namespace: string, path: string): boolean {
    return namespace === this.#deps.alloc.Namespace && this.#readable.has(path);
  }

  /** Null: a file of the host. */
  #place(path: string): readonly string[] | null {
    const { dirs, env, options } = this.#deps;
    try {
      return taskPath(path, dirs, env);
    } catch (error) {
      if (!(error instanceof EscapeError)) throw error;
      if (options.disableFileSandbox && path.startsWith("/")) return null;
      throw new FunctionError(`'${path}' is outside of sandbox`);
    }
  }

  /** Null when it is not there, or is no file. */
  async #read(path: string): Promise<string | null> {
    const { dirs, options } = this.#deps;
    const names = this.#place(path);
    try {
      const content =
        names === null ? await readHostFile(path, options.maxFileBytes) : await readTaskFile(dirs, names, options.maxFileBytes);
      return content?.toString("latin1") ?? null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }
}

/** A file of a task's, links resolved as long as they stay in the allocation. @returns undefined for what is no file. */
export async function readTaskFile(dirs: TaskDirs, names: readonly string[], limit: number): Promise<Buffer | undefined> {
  const root = await holdDirectory(dirs.alloc);
  try {
    const found = await find(root, names.join("/"), { reading: false });
    try {
      return await readHeld(found.handle, found.stat, limit);
    } finally {
      await found.handle.close();
    }
  } finally {
    await root.close();
  }
}

export async function readHostFile(path: string, limit: number): Promise<Buffer | undefined> {
  const file = await open(resolve(path), "r");
  try {
    const { size } = await file.stat();
    if (size > limit) throw new Error(`the file has ${size} bytes, want at most ${limit}`);
    return await readFile(file);
  } finally {
    await file.close();
  }
}

const isMissing = (error: unknown): boolean => ["ENOENT", "not-found"].includes(String((error as { readonly code?: unknown }).code));

const variableKeyOf = (namespace: string, path: string): string => `var:${variableKey(namespace, path)}`;

function keysOf(dependency: Dependency): readonly string[] {
  switch (dependency.kind) {
    case "variable":
      return [variableKeyOf(dependency.namespace, dependency.path)];
    case "variables":
      return ["vars"];
    case "file":
      return [`file:${dependency.path}`];
    default:
      return ["services"];
  }
}
