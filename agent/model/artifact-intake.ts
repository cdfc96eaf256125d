import type { Artifact } from "./artifact.js";
import { FieldReader } from "./field-reader.js";

/** Source of the defaults: the reference's job specification. */
export function readArtifact(value: unknown, path: string): Artifact {
  const from = new FieldReader(value, path);
  const GetterHeaders = from.texts("GetterHeaders");
  for (const [name, text] of Object.entries(GetterHeaders ?? {})) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || /[\r\n]/.test(text))
      throw from.invalid("GetterHeaders", "names and values that an HTTP header can have");
  }
  const RelativeDest = from.text("RelativeDest") || "local/";
  if (escapes(RelativeDest)) throw from.invalid("RelativeDest", "a path that does not lead out of the allocation's directory");
  return {
    ...from.others(known),
    GetterSource: from.needed("GetterSource"),
    GetterOptions: from.texts("GetterOptions"),
    GetterHeaders,
    GetterMode: from.oneOf("GetterMode", ["any", "file", "dir"], "any"),
    GetterInsecure: from.flag("GetterInsecure"),
    RelativeDest,
    Chown: from.flag("Chown"),
  };
}

/** One level up is the allocation, of which the group's shared directory is a part. */
function escapes(path: string): boolean {
  let depth = 1;
  for (const name of path.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

const known = ["GetterSource", "GetterOptions", "GetterHeaders", "GetterMode", "GetterInsecure", "RelativeDest", "Chown"];
