import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { transformSync } from "@swc/core";

const top = resolve(import.meta.dirname, "../../..");
const relativeImport = /\bfrom\s+"(\.{1,2}\/[^"]+)\.js"/g;

/**
 * Sources compiled to where threads and child processes can run them: tests run from sources that only jest can load.
 * Compiles the files and what they import, and nothing of an earlier build is used.
 */
export class Compiled {
  readonly #dir = mkdtempSync(join(tmpdir(), "allocd-compiled-"));
  readonly #done = new Set<string>();

  constructor() {
    symlinkSync(join(top, "node_modules"), join(this.#dir, "node_modules"));
    writeFileSync(join(this.#dir, "package.json"), '{ "type": "module" }');
  }

  /** @param source relative to the repository, as agent/store/worker.ts. */
  url(source: string): URL {
    this.#compile(join(top, source));
    return pathToFileURL(this.#target(join(top, source)));
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #target(source: string): string {
    return join(this.#dir, relative(top, source)).replace(/\.ts$/, ".js");
  }

  #compile(source: string): void {
    if (this.#done.has(source)) return;
    this.#done.add(source);
    const { code } = transformSync(readFileSync(source, "utf8"), {
      filename: source,
      jsc: { target: "es2022", parser: { syntax: "typescript" } },
      module: { type: "es6" },
      sourceMaps: "inline",
    });
    const target = this.#target(source);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code);
    for (const [, path] of code.matchAll(relativeImport)) this.#compile(join(dirname(source), `${path}.ts`));
  }
}
