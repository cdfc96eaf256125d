import { RE2JS, RE2JSException } from "re2js";
import { FunctionError } from "../go/errors.js";
import { bytesOf } from "../go/values.js";
import { needText } from "./define.js";

/** Go's regular expressions, which take linear time whatever the pattern is. */
function compile(name: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(needText(name, pattern));
  } catch (error) {
    if (error instanceof RE2JSException) throw new FunctionError(error.message);
    throw error;
  }
}

export const regexMatch = (pattern: string, bytes: string): boolean =>
  compile("regexMatch", pattern).matcher(needText("regexMatch", bytes)).find();

export function regexReplaceAll(pattern: string, replacement: string, bytes: string): string {
  const compiled = compile("regexReplaceAll", pattern);
  const text = needText("regexReplaceAll", bytes);
  const template = needText("regexReplaceAll", replacement);
  const groups: Readonly<Record<string, number>> = compiled.namedGroups();
  const matcher = compiled.matcher(text);
  let result = "";
  let end = 0;
  let isFirst = true;
  while (matcher.find()) {
    const [from, to] = [matcher.start(), matcher.end()];
    // An empty match right behind another one is none.
    if (from === to && from === end && !isFirst) continue;
    result += text.slice(end, from) + expand(template, (name) => group(name));
    end = to;
    isFirst = false;
  }
  return bytesOf(result + text.slice(end));

  function group(name: string): string {
    const number = /^\d+$/.test(name) ? Number(name) : groups[name];
    return number === undefined || number > matcher.groupCount() ? "" : (matcher.group(number) ?? "");
  }
}

/** `$1`, `${1}`, `$name`, `${name}`; `$$` is a dollar sign. A name is as long as it can be. */
const expand = (template: string, group: (name: string) => string): string =>
  template.replace(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_whole, dollar?: string, plain?: string, braced?: string) =>
    dollar === undefined ? group(plain ?? braced ?? "") : "$",
  );
