/** A template that can not be read, or uses what is not supported. `message` names the place and the construct. */
export class TemplateSyntaxError extends Error {
  override readonly name = "TemplateSyntaxError";
}

/** A template that failed while it was rendered. */
export class TemplateExecError extends Error {
  override readonly name = "TemplateExecError";
}

/** What a function refuses. The evaluator adds where. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
}

/** A limit on what one rendering may use was met. No template may go on after it. */
export class TemplateLimitError extends Error {
  override readonly name = "TemplateLimitError";
}
