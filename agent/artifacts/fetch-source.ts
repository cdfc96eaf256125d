import { createReadStream } from "node:fs";
import { chmod, lchown, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Owner } from "../allocs/owner.js";
import type { Artifact } from "../model/artifact.js";
import { ArtifactError, refused } from "./artifact-error.js";
import type { ArtifactOptions } from "./artifact-options.js";
import { Budget } from "./budget.js";
import { checkFile, findChecksum, parseChecksum } from "./checksum.js";
import { cloneRepository } from "./git.js";
import { type Download, download, downloadText } from "./http-download.js";
import { inspect } from "./install.js";
import { copyLocal, isLocalDirectory } from "./local-file.js";
import { bucketOf, listUrl, objectUrl, readList, signedHeaders } from "./s3.js";
import { parseSource, type Source } from "./source.js";
import { kindOf, Tree } from "./tree.js";
import { type Archive, archiveOf, unpack, withoutEnding } from "./unpack.js";

export interface FetchContext {
  readonly artifact: Artifact;
  /** An empty directory. */
  readonly staging: string;
  readonly owner: Owner | null;
  readonly home: string;
  readonly options: ArtifactOptions;
  readonly progress: (bytes: number, total: number | undefined) => void;
  readonly signal: AbortSignal;
}

/** What was fetched, in the staging directory. */
export type Fetched =
  /** All that is in it goes into the destination. */
  | { readonly kind: "directory"; readonly path: string }
  /** @property as its name below the destination; null when the destination is the file itself. */
  | { readonly kind: "file"; readonly directory: string; readonly name: string; readonly as: string | null };

const maxChecksumBytes = 1 << 20;

/** @throws ArtifactError */
export async function fetchSource(source: Source, context: FetchContext): Promise<Fetched> {
  switch (source.getter) {
    case "git":
      return fetchRepository(source, context);
    case "file":
      if (await isLocalDirectory(fileURLToPath(source.url), context)) return fetchLocalDirectory(source, context);
      return fetchFile(source, context, (file) => copyLocal(fileURLToPath(source.url), file, context));
    case "s3":
      return fetchObject(source, context);
    case "http":
      return fetchFile(source, context, (file) => download(file, toDownload(source.url, context.artifact.GetterHeaders ?? {}, context)));
  }
}

function toDownload(url: URL, headers: Readonly<Record<string, string>>, { artifact, options, progress, signal }: FetchContext): Download {
  return { url, headers, insecure: artifact.GetterInsecure, maxBytes: options.maxBytes, stallMs: options.stallMs, progress, signal };
}

async function fetchRepository(source: Source, context: FetchContext): Promise<Fetched> {
  const { artifact, staging, owner, home, options, signal } = context;
  if (artifact.GetterMode === "file") throw refused('GetterMode: got "file", want any or dir for a repository');
  if (source.options.checksum !== undefined) throw refused("checksum: a repository has none; name a commit with ref");
  const tree = await cloneRepository(source, staging, { owner, home, insecure: artifact.GetterInsecure, signal });
  await inspect(tree, options.maxFiles);
  return within(tree, source, context);
}

async function fetchLocalDirectory(source: Source, context: FetchContext): Promise<Fetched> {
  if (context.artifact.GetterMode === "file") throw refused('GetterMode: got "file", and the source is a directory');
  const tree = await newTree(context, Number.POSITIVE_INFINITY);
  await copyLocal(fileURLToPath(source.url), tree, context);
  await tree.finish();
  return within(tree.path, source, context);
}

/** An object, or when there is none of that name all objects below it. */
async function fetchObject(source: Source, context: FetchContext): Promise<Fetched> {
  const { artifact } = context;
  const bucket = bucketOf(source);
  const get = (url: URL): Download => toDownload(url, { ...signedHeaders(url, source, bucket.region) }, context);
  const isDirectory = artifact.GetterMode === "dir" && archiveOf(bucket.key, source.options.archive) === null;
  if (!isDirectory && !bucket.key.endsWith("/")) {
    try {
      return await fetchFile(source, context, (file) => download(file, get(objectUrl(bucket, bucket.key, source.options.version))));
    } catch (error) {
      const isMissing = error instanceof ArtifactError && error.message === "bad response code: 404";
      if (!isMissing || artifact.GetterMode !== "any") throw error;
    }
  }
  const tree = await newTree(context, Number.POSITIVE_INFINITY);
  const prefix = bucket.key.endsWith("/") ? bucket.key : `${bucket.key}/`;
  let count = 0;
  for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
    const list = readList(await downloadText(get(listUrl(bucket, next))));
    for (const key of list.keys.filter((one) => !one.endsWith("/"))) {
      const file = join(context.staging, "object");
      await download(file, get(objectUrl(bucket, key)));
      await tree.file(key.slice(prefix.length), 0o644, createReadStream(file));
      count++;
    }
    next = list.next;
  }
  if (count === 0) throw new ArtifactError("bad response code: 404", "restart");
  await tree.finish();
  return within(tree.path, source, context);
}

/** Fetches one file, compares it with its checksum, and unpacks it when it is an archive. */
async function fetchFile(source: Source, context: FetchContext, fetch: (file: string) => Promise<void>): Promise<Fetched> {
  const { artifact, staging, owner, signal } = context;
  const name = fileName(source);
  const archive = archiveOf(name, source.options.archive);
  if (!archive && artifact.GetterMode === "dir") throw refused('GetterMode: got "dir", and the source is no archive');
  const file = join(staging, "download");
  await fetch(file);
  if (source.options.checksum !== undefined) await verify(file, name, source.options.checksum, context);
  if (archive) return unpackFile(file, archive, name, source, context);
  if (source.subdirectory !== "")
    throw refused(`the subdirectory ${JSON.stringify(source.subdirectory)} is asked for of a source that is no archive`);
  await chmod(file, 0o644);
  if (owner) await lchown(file, owner.uid, owner.gid);
  signal.throwIfAborted();
  return { kind: "file", directory: staging, name: "download", as: artifact.GetterMode === "file" ? null : name };
}

async function unpackFile(file: string, archive: Archive, name: string, source: Source, context: FetchContext): Promise<Fetched> {
  const { artifact, signal } = context;
  const { size } = await stat(file);
  const tree = await newTree(context, size);
  const single = withoutEnding(name);
  await unpack(file, archive, tree, single, signal);
  if (archive.kind === "single")
    return { kind: "file", directory: tree.path, name: single, as: artifact.GetterMode === "file" ? null : single };
  if (artifact.GetterMode === "file")
    throw refused('GetterMode: got "file", and the source is an archive of files; archive=false keeps it as it is');
  return within(tree.path, source, context);
}

/** @param archiveBytes what its content is compared with. */
async function newTree({ staging, owner, options }: FetchContext, archiveBytes: number): Promise<Tree> {
  const path = join(staging, "unpacked");
  await mkdir(path, { mode: 0o755 });
  return new Tree(path, owner, new Budget(options, archiveBytes));
}

/** The part of a tree that was asked for. */
async function within(path: string, { subdirectory }: Source, { artifact }: FetchContext): Promise<Fetched> {
  if (subdirectory === "") return { kind: "directory", path };
  const names = subdirectory.split("/");
  // A link in between could lead anywhere.
  for (let depth = 1; depth < names.length; depth++) {
    if ((await kindOf(join(path, ...names.slice(0, depth)))) !== "directory")
      throw refused(`the source has no subdirectory ${JSON.stringify(subdirectory)}`);
  }
  const inner = join(path, ...names);
  const kind = await kindOf(inner);
  const last = names.at(-1) ?? "";
  if (kind === "directory") return { kind: "directory", path: inner };
  if (kind === "file")
    return { kind: "file", directory: join(path, ...names.slice(0, -1)), name: last, as: artifact.GetterMode === "file" ? null : last };
  throw refused(`the source has no subdirectory ${JSON.stringify(subdirectory)}`);
}

function fileName({ url, options }: Source): string {
  const name = options.filename ?? decodeURIComponent(url.pathname.split("/").at(-1) ?? "");
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw refused("the URL ends with no file's name; name it with the option filename");
  }
  return name;
}

/** `type:digits`, or `file:` and the URL of a list of checksums. */
async function verify(file: string, name: string, given: string, context: FetchContext): Promise<void> {
  if (!given.startsWith("file:")) return checkFile(file, parseChecksum(given), context.signal);
  const { url, getter } = parseSource(given.slice("file:".length));
  if (getter !== "http") throw refused("checksum: want the URL of a list on an http server");
  const list = await downloadText({ ...toDownload(url, {}, context), maxBytes: maxChecksumBytes, progress: () => {} });
  return checkFile(file, findChecksum(list, name), context.signal);
}
