import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Owner } from "../allocs/owner.js";
import { ArtifactError, refused } from "./artifact-error.js";
import { runProgram } from "./run-program.js";
import type { Source } from "./source.js";

export interface GitOptions {
  /** Whose rights git has. Null: the agent's. */
  readonly owner: Owner | null;
  /** The home directory that known hosts are looked for in. */
  readonly home: string;
  readonly insecure: boolean;
  readonly signal: AbortSignal;
}

const fullCommit = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Whatever a repository or a configuration of the host says: nothing is run, and nothing is read from elsewhere. */
const settings: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.symlinks=true",
  "credential.helper=",
  "protocol.allow=never",
  "protocol.https.allow=always",
  "protocol.http.allow=always",
  "protocol.ssh.allow=always",
  "protocol.git.allow=always",
  "submodule.recurse=false",
  "transfer.fsckObjects=true",
];

/**
 * Clones a repository into a new directory, with its submodules.
 *
 * @param staging an empty directory. Git, with the owner's rights, may write to it for as long as it runs.
 * @returns the directory of the work tree.
 * @throws ArtifactError
 */
export async function cloneRepository(source: Source, staging: string, { owner, home, insecure, signal }: GitOptions): Promise<string> {
  const { ref, depth, sshkey } = source.options;
  if (ref !== undefined && !/^[A-Za-z0-9_][\w./@+-]*$/.test(ref))
    throw refused(`ref: got ${JSON.stringify(ref.slice(0, 80))}, want a branch, tag or commit`);
  if (depth !== undefined && !/^[1-9]\d{0,8}$/.test(depth))
    throw refused(`depth: got ${JSON.stringify(depth.slice(0, 80))}, want a number of 1 or more`);
  const own = join(staging, "own");
  const tree = join(staging, "tree");
  await mkdir(own, { mode: 0o700 });
  if (owner) for (const directory of [staging, own]) await chown(directory, owner.uid, owner.gid);
  const env: Record<string, string> = {
    ...environment(home),
    ...(sshkey === undefined ? {} : { GIT_SSH_COMMAND: await sshCommand(sshkey, own, owner) }),
  };
  const isFile = source.url.protocol === "file:";
  if (isFile) Object.assign(env, { GIT_CONFIG_GLOBAL: await trustOwners(own) });
  const given = [...settings, ...(isFile ? ["protocol.file.allow=always"] : []), ...(insecure ? ["http.sslVerify=false"] : [])];
  const git = (cwd: string, ...args: readonly string[]): Promise<string> =>
    runProgram("git", [...given.flatMap((setting) => ["-c", setting]), ...args], { cwd, env, owner, signal });
  const shallow = depth === undefined ? [] : ["--depth", depth];
  try {
    if (ref !== undefined && depth !== undefined && fullCommit.test(ref)) {
      await git(own, "init", "--quiet", "--", tree);
      await git(tree, "fetch", "--quiet", ...shallow, "--", source.url.href, ref);
      await git(tree, "checkout", "--quiet", "FETCH_HEAD");
    } else {
      const branch = ref !== undefined && depth !== undefined ? ["--branch", ref] : [];
      await git(own, "clone", "--quiet", "--no-recurse-submodules", ...shallow, ...branch, "--", source.url.href, tree);
      if (ref !== undefined && depth === undefined) await git(tree, "checkout", "--quiet", ref, "--");
    }
    // A submodule of the host's own file system would read what the job does not name.
    await git(tree, "-c", "protocol.file.allow=never", "submodule", "--quiet", "update", "--init", "--recursive", ...shallow);
  } catch (error) {
    if (error instanceof ArtifactError) throw new ArtifactError(withoutUrl(error.message, source.url), error.remedy, { cause: error });
    throw error;
  } finally {
    // What was started by git and has not ended can not reach it from here on.
    if (owner) await chown(staging, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    await rm(own, { recursive: true, force: true });
  }
  return tree;
}

/** Nothing of the agent's own environment but where programs are. */
const environment = (home: string): Record<string, string> => ({
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  HOME: home,
  LC_ALL: "C",
  GIT_TERMINAL_PROMPT: "0",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TEMPLATE_DIR: "/dev/null",
  GIT_ASKPASS: "/bin/false",
  GIT_LFS_SKIP_SMUDGE: "1",
  GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
});

/** The key is in a file for as long as git runs. */
async function sshCommand(sshkey: string, own: string, owner: Owner | null): Promise<string> {
  const key = Buffer.from(sshkey, "base64");
  if (!/^[A-Za-z0-9+/=\s_-]+$/.test(sshkey) || key.length === 0) throw refused("sshkey: want a private key, encoded in base64");
  const file = join(own, "key");
  await writeFile(file, key, { mode: 0o600, flag: "wx" });
  if (owner) await chown(file, owner.uid, owner.gid);
  return `ssh -o BatchMode=yes -o IdentitiesOnly=yes -i ${file}`;
}

/** A repository of the host's may belong to somebody else; of its settings none counts. Git takes this from a file only. */
async function trustOwners(own: string): Promise<string> {
  const file = join(own, "config");
  await writeFile(file, "[safe]\n\tdirectory = *\n", { mode: 0o644, flag: "wx" });
  return file;
}

/** Git repeats the URL, password and all. */
const withoutUrl = (message: string, url: URL): string =>
  message.replaceAll(url.href, `${url.protocol}//${url.host}${url.pathname}`).replaceAll(/\/\/[^/@\s]*:[^/@\s]*@/g, "//");
