import { spawn } from "node:child_process";
import type { AuthConfig } from "./auth-config.js";

const defaultLimitMs = 15_000;
const maxAnswerBytes = 64 * 1024;
/** A helper that says this has nothing for the registry, which is no failure. */
const nothingFound = /credentials not found/i;
/** What a helper calls a user whose secret is an identity token. */
const tokenUser = "<token>";
const helperName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Asks `docker-credential-<name>`, as Docker's own client does: the server's name on stdin, JSON on stdout.
 *
 * What a helper prints is never part of an error, as it may be a secret.
 *
 * @param env the helper's: where it is found, and what it may need to get at its secrets.
 * @param limitMs how long it may take.
 * @returns undefined when it has nothing for the server.
 * @throws Error that names the helper.
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  env: Environment,
  limitMs = defaultLimitMs,
): Promise<AuthConfig | undefined> {
  const program = `docker-credential-${name}`;
  if (!helperName.test(name)) throw new Error(`${JSON.stringify(name)} is no name of a credential helper`);
  const { code, output } = await run(program, server, env, limitMs);
  if (code !== 0) {
    if (nothingFound.test(output)) return undefined;
    throw new Error(`${program} failed with exit code ${code}`);
  }
  const { Username, Secret } = parse(program, output);
  if (Username === "" && Secret === "") return undefined;
  return Username === tokenUser
    ? { identitytoken: Secret, serveraddress: server }
    : { username: Username, password: Secret, serveraddress: server };
}

interface Answer {
  readonly Username: string;
  readonly Secret: string;
}

function parse(program: string, output: string): Answer {
  const { Username, Secret } = fields(output);
  if (typeof Username !== "string" || typeof Secret !== "string") throw new Error(`the answer of ${program} has no Username and Secret`);
  return { Username, Secret };
}

function fields(output: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(output)) as Readonly<Record<string, unknown>>;
  } catch {
    // The parser's own message would quote the answer.
    return {};
  }
}

function run(
  program: string,
  input: string,
  env: Environment,
  limitMs: number,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], detached: true, env });
    const pieces: Buffer[] = [];
    let bytes = 0;
    let trouble = "";
    const kill = (why: string): void => {
      trouble ||= why;
      // What it has started holds its output as well.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const timer = setTimeout(() => kill(`did not answer within ${limitMs / 1000} s`), limitMs);
    child.stdout.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > maxAnswerBytes) kill(`answered with more than ${maxAnswerBytes} bytes`);
      else pieces.push(piece);
    });
    // One that has read enough.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`${program} can not be run: ${error.message}`, { cause: error }));
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      if (trouble !== "") reject(new Error(`${program} ${trouble}`));
      else resolve({ code: code ?? -1, output: Buffer.concat(pieces).toString() });
    });
  });
}
