/** What an exec request asks for, from its query. Source: the documentation's "Exec Allocation". */
export interface ExecRequest {
  readonly allocId: string;
  readonly task: string;
  readonly command: readonly string[];
  readonly tty: boolean;
}

/** A caller's mistake that is told as a close frame. Source: reference behaviour §2.2. */
export class ExecRefused extends Error {
  override readonly name = "ExecRefused";
  constructor(
    readonly code: 1008 | 1011,
    message: string,
  ) {
    super(message);
  }
}

const path = /^\/v1\/client\/allocation\/([^/]+)\/exec$/;
const booleans = new Map([
  ..."1 t T TRUE true True".split(" ").map((word) => [word, true] as const),
  ...",0,f,F,FALSE,false,False".split(",").map((word) => [word, false] as const),
]);

/** Whether the first message is to be the handshake. @throws ExecRefused */
export const wantsHandshake = (query: URLSearchParams): boolean => readBoolean(query, "ws_handshake");

/** @throws ExecRefused for the first thing that is wrong. */
export function readExecRequest(url: URL): ExecRequest {
  const query = url.searchParams;
  const command = readCommand(single(query, "command"));
  const tty = readBoolean(query, "tty");
  const allocId = decodeURIComponent(path.exec(url.pathname)?.[1] ?? "");
  const task = single(query, "task") ?? "";
  if (task === "") throw new ExecRefused(1008, "must provide task name");
  if (command.length === 0) throw new ExecRefused(1008, "command is not present");
  return { allocId, task, command, tty };
}

function readCommand(text: string | undefined): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch (error) {
    throw new ExecRefused(
      1008,
      `command: got ${JSON.stringify(text ?? "").slice(0, 40)}, want a JSON array of strings: ${(error as Error).message}`,
    );
  }
  if (!Array.isArray(value) || !value.every((word) => typeof word === "string" && !word.includes("\0")))
    throw new ExecRefused(1008, `command: got ${JSON.stringify(value).slice(0, 40)}, want a JSON array of strings`);
  return value as string[];
}

function readBoolean(query: URLSearchParams, name: string): boolean {
  const text = single(query, name) ?? "";
  const value = booleans.get(text);
  if (value === undefined)
    throw new ExecRefused(1008, `${name} value is not a boolean: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  return value;
}

function single(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw new ExecRefused(1008, `${name} is given ${values.length} times`);
  return values[0];
}
