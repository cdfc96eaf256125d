import type { TaskDirs } from "../../drivers/driver.js";
import { holdDirectory } from "../allocs/fs/held.js";
import { taskPath } from "../allocs/fs/task-path.js";
import { EscapeError, makeInside, readInside, writeInside } from "../allocs/fs/write-inside.js";
import type { Owner } from "../allocs/owner.js";
import type { Template } from "../model/template.js";
import type { Dependency } from "./dependency.js";
import { TemplateSyntaxError } from "./go/errors.js";
import type { Template as Tree } from "./go/nodes.js";
import { parseTemplate, type Rendered, type RenderScope, render } from "./render.js";
import { readHostFile, readTaskFile } from "./task-data.js";
import type { TemplateOptions } from "./template-options.js";

export interface TemplateFileDeps {
  readonly dirs: TaskDirs;
  readonly env: Readonly<Record<string, string>>;
  /** Whose new files are unless the template says so. */
  readonly owner: Owner | null;
  readonly options: TemplateOptions;
  /** Replaces references in paths. */
  readonly interpolate: (text: string) => string;
}

/** The largest template that is read from a file. */
const maxSourceBytes = 4 << 20;

/** One template block of a task: its source, what it has read, and the file that it becomes. */
export class TemplateFile {
  readonly spec: Template;
  readonly #deps: TemplateFileDeps;
  readonly #tree: Tree;
  readonly #names: readonly string[];
  /** What it reads now. */
  used: ReadonlyMap<string, Dependency> = new Map();
  /** What the file holds; null before it was written. */
  content: Buffer | null = null;

  /**
   * Reads a template.
   *
   * @throws TemplateSyntaxError that names the block and the construct; Error when the source can not be read or the
   * destination is none of the task's.
   */
  static async open(spec: Template, place: string, deps: TemplateFileDeps): Promise<TemplateFile> {
    const names = destination(spec, deps);
    const source = await sourceOf(spec, deps);
    try {
      const delimiters = { left: spec.LeftDelim, right: spec.RightDelim };
      return new TemplateFile(spec, deps, parseTemplate(source, { delimiters, denied: deps.options.functionDenylist }), names);
    } catch (error) {
      if (error instanceof TemplateSyntaxError) throw new TemplateSyntaxError(`${place}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  private constructor(spec: Template, deps: TemplateFileDeps, tree: Tree, names: readonly string[]) {
    this.spec = spec;
    this.#deps = deps;
    this.#tree = tree;
    this.#names = names;
  }

  /** @throws TemplateExecError, TemplateLimitError. */
  render(scope: Omit<RenderScope, "missingKeyIsError" | "env" | "limits">): Rendered {
    const { env, options } = this.#deps;
    const rendered = render(this.#tree, { ...scope, env, missingKeyIsError: this.spec.ErrMissingKey, limits: options.limits });
    this.used = rendered.used;
    return rendered;
  }

  /**
   * Makes the file hold the content.
   *
   * @param always whether it is written even when it holds it already.
   * @returns whether it held another one.
   */
  async write(content: Buffer, always = false): Promise<boolean> {
    const { dirs, owner } = this.#deps;
    const name = this.#names.at(-1) ?? "";
    const root = await holdDirectory(dirs.alloc);
    try {
      const directory = await makeInside(root, this.#names.slice(0, -1), { owner });
      try {
        const before = await readInside(directory, name, content.length).catch(() => undefined);
        const isChanged = before === undefined || !before.equals(content);
        if (isChanged || always)
          await writeInside(directory, name, content, { owner: this.#fileOwner(), mode: Number.parseInt(this.spec.Perms, 8) });
        this.content = content;
        return isChanged;
      } finally {
        await directory.close();
      }
    } finally {
      await root.close();
    }
  }

  #fileOwner(): Owner | null {
    const { owner } = this.#deps;
    const { Uid, Gid } = this.spec;
    if (Uid === null && Gid === null) return owner;
    return { uid: Uid ?? owner?.uid ?? process.getuid?.() ?? 0, gid: Gid ?? owner?.gid ?? process.getgid?.() ?? 0 };
  }
}

function destination(spec: Template, { dirs, env, interpolate }: TemplateFileDeps): readonly string[] {
  const path = interpolate(spec.DestPath);
  try {
    const names = taskPath(path, dirs, env, true);
    if (names.length > 1 && !path.endsWith("/")) return names;
  } catch (error) {
    if (!(error instanceof EscapeError)) throw error;
    throw new Error(`template destination path escapes alloc directory: ${path}`, { cause: error });
  }
  throw new Error(`template destination: got ${JSON.stringify(path)}, want the path of a file`);
}

async function sourceOf(spec: Template, { dirs, env, options, interpolate }: TemplateFileDeps): Promise<Buffer> {
  if (spec.SourcePath === "") return Buffer.from(spec.EmbeddedTmpl);
  const path = interpolate(spec.SourcePath);
  const fail = (why: string, cause?: unknown): Error => new Error(`template source ${path}: ${why}`, { cause });
  let names: readonly string[] | null = null;
  try {
    names = taskPath(path, dirs, env);
  } catch (error) {
    const isHost = options.disableFileSandbox && path.startsWith("/");
    if (!(error instanceof EscapeError) || !isHost)
      throw new Error(`template source path escapes alloc directory: ${path}`, { cause: error });
  }
  try {
    const source = names === null ? await readHostFile(path, maxSourceBytes) : await readTaskFile(dirs, names, maxSourceBytes);
    if (source) return source;
  } catch (error) {
    throw fail((error as Error).message, error);
  }
  throw fail("it is no file");
}
