import { once } from "node:events";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { Parser, type ReadEntry } from "tar";
import { type Entry, openPromise } from "yauzl";
import { ArtifactError, refused } from "./artifact-error.js";
import { type Compression, decompress } from "./decompress.js";
import type { Tree } from "./tree.js";

/** How a file is unpacked: a tar or zip archive, or one compressed file. */
export type Archive =
  | { readonly kind: "tar"; readonly compression: Compression | null }
  | { readonly kind: "zip" }
  | { readonly kind: "single"; readonly compression: Compression };

const endings: readonly (readonly [ending: string, archive: Archive])[] = [
  ...(["tar.gz", "tgz"] as const).map((ending) => [ending, { kind: "tar", compression: "gz" }] as const),
  ...(["tar.bz2", "tbz2"] as const).map((ending) => [ending, { kind: "tar", compression: "bz2" }] as const),
  ...(["tar.xz", "txz"] as const).map((ending) => [ending, { kind: "tar", compression: "xz" }] as const),
  ...(["tar.zst", "tzst"] as const).map((ending) => [ending, { kind: "tar", compression: "zst" }] as const),
  ["tar", { kind: "tar", compression: null }],
  ["zip", { kind: "zip" }],
  ["gz", { kind: "single", compression: "gz" }],
  ["bz2", { kind: "single", compression: "bz2" }],
  ["xz", { kind: "single", compression: "xz" }],
  ["zst", { kind: "single", compression: "zst" }],
];

/**
 * What a file is, by its name or by the option `archive`.
 *
 * @returns null when it is to stay as it is.
 * @throws ArtifactError for an option that names no archive.
 */
export function archiveOf(name: string, option: string | undefined): Archive | null {
  if (option !== undefined) {
    if (["false", "0", "f", "F", "FALSE", "False"].includes(option)) return null;
    const named = endings.find(([ending]) => ending === option);
    if (!named)
      throw refused(`archive: got ${JSON.stringify(option)}, want false or one of ${endings.map(([ending]) => ending).join(", ")}`);
    return named[1];
  }
  return endings.find(([ending]) => name.endsWith(`.${ending}`))?.[1] ?? null;
}

/** The name without the ending that made it an archive. */
export const withoutEnding = (name: string): string => name.replace(/\.(gz|bz2|xz|zst)$/, "") || name;

/**
 * Unpacks a file into a tree.
 *
 * @param name of the one file that a compressed file becomes.
 * @throws ArtifactError
 */
export async function unpack(file: string, archive: Archive, tree: Tree, name: string, signal: AbortSignal): Promise<void> {
  if (archive.kind === "zip") await unpackZip(file, tree, signal);
  else {
    const take = (content: Readable): Promise<void> =>
      archive.kind === "tar" ? unpackTar(content, tree, signal) : tree.file(name, 0o644, content);
    const from = createReadStream(file, { signal });
    if (archive.compression === null) await take(from);
    else await decompress(from, archive.compression, take, signal);
  }
  await tree.finish();
}

/** Long names are headers of their own, which are read into memory. */
const maxMetaBytes = 1 << 20;

export async function unpackTar(content: Readable, tree: Tree, signal: AbortSignal): Promise<void> {
  const broken = new AbortController();
  const fail = (error: unknown): void => broken.abort(error);
  let queue: Promise<void> = Promise.resolve();
  const parser = new Parser({
    strict: true,
    maxMetaEntrySize: maxMetaBytes,
    onReadEntry: (entry) => {
      queue = queue
        .then(() => (broken.signal.aborted ? undefined : takeEntry(entry, tree)))
        .catch(fail)
        // What is left of it has to go, or the parser waits for ever.
        .finally(() => entry.resume());
    },
  });
  parser.on("error", (error: Error) => fail(new ArtifactError(`the tar archive is damaged: ${error.message}`, "restart")));
  const stop = AbortSignal.any([broken.signal, signal]);
  let isEmpty = true;
  try {
    for await (const chunk of content) {
      isEmpty = false;
      if (!parser.write(chunk as Buffer)) await once(parser, "drain", { signal: stop });
      stop.throwIfAborted();
    }
    if (isEmpty) throw new ArtifactError("the tar archive is empty", "restart");
    const ended = once(parser, "end", { signal: stop });
    parser.end();
    await ended;
    await queue;
    stop.throwIfAborted();
  } catch (error) {
    throw broken.signal.aborted ? broken.signal.reason : error;
  }
}

async function takeEntry(entry: ReadEntry, tree: Tree): Promise<void> {
  const { type, path, mode = 0o644, linkpath = "" } = entry;
  switch (type) {
    case "File":
    case "OldFile":
    case "ContiguousFile":
      return tree.file(path, mode, Readable.from(entry as unknown as AsyncIterable<Buffer>));
    case "Directory":
      return tree.directory(path, mode);
    case "SymbolicLink":
      return tree.symlink(path, linkpath);
    case "Link":
      return tree.hardLink(path, linkpath);
    default:
      throw refused(`the archive has an entry ${JSON.stringify(path)} of type ${type}, want files, directories and links`);
  }
}

const fileTypes = { mask: 0o170000, none: 0, file: 0o100000, directory: 0o040000, link: 0o120000 } as const;
const maxTargetBytes = 4_096;

async function unpackZip(path: string, tree: Tree, signal: AbortSignal): Promise<void> {
  try {
    const zip = await openPromise(path, { lazyEntries: true, strictFileNames: true, validateEntrySizes: true, autoClose: false });
    try {
      for await (const entry of zip.eachEntry()) {
        signal.throwIfAborted();
        await takeZipEntry(entry, await contentOf(zip, entry), tree);
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    if (error instanceof ArtifactError || signal.aborted) throw error;
    throw new ArtifactError(`the zip archive can not be read: ${(error as Error).message}`, "restart", { cause: error });
  }
}

type Zip = Awaited<ReturnType<typeof openPromise>>;

const contentOf = (zip: Zip, entry: Entry): Promise<Readable | null> =>
  entry.fileName.endsWith("/") ? Promise.resolve(null) : zip.openReadStreamPromise(entry);

async function takeZipEntry(
  { fileName, externalFileAttributes, versionMadeBy, uncompressedSize }: Entry,
  content: Readable | null,
  tree: Tree,
): Promise<void> {
  // Of systems that are not Unix the attributes say something else.
  const isUnix = versionMadeBy >> 8 === 3;
  const mode = isUnix ? externalFileAttributes >>> 16 : 0;
  const type = mode & fileTypes.mask;
  if (!content) return tree.directory(fileName, isUnix ? mode : 0o755);
  if (type === fileTypes.link) {
    if (uncompressedSize > maxTargetBytes) throw refused(`the archive has a link ${JSON.stringify(fileName)} with too long a target`);
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(part as Buffer);
    return tree.symlink(fileName, Buffer.concat(parts).toString("utf8"));
  }
  if (type !== fileTypes.none && type !== fileTypes.file)
    throw refused(`the archive has an entry ${JSON.stringify(fileName)} that is no file, directory or link`);
  return tree.file(fileName, mode & 0o777 || 0o644, content);
}
