import type { RenderLimits } from "./go/evaluator.js";

/** What the operator says of templates. Times are milliseconds. */
export interface TemplateOptions {
  /** Whether templates may read files outside of the allocation's directory. */
  readonly disableFileSandbox: boolean;
  /** Patterns of functions, with `*`. */
  readonly functionDenylist: readonly string[];
  readonly limits: RenderLimits;
  /** How long changes are collected before a template is rendered again, unless it says so itself. */
  readonly waitMinMs: number;
  readonly waitMaxMs: number;
  readonly region: string;
}
