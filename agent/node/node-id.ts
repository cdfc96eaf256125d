import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The id of this host, which stays the same as long as its data directory does.
 *
 * @throws Error naming the file when that holds something else.
 */
export async function loadNodeId(dataDir: string): Promise<string> {
  const path = join(dataDir, "node-id");
  const known = await readText(path);
  if (known === null) return createNodeId(dataDir, path);
  if (!UUID.test(known))
    throw new Error(`${path}: got ${JSON.stringify(known.slice(0, 40))}, want a UUID; delete the file to get a new identity`);
  return known;
}

/** By way of a link, so that the file is never seen half written and the first of two writers wins. */
async function createNodeId(dataDir: string, path: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${randomUUID()}\n`, { mode: 0o600, flush: true });
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return loadNodeId(dataDir);
}

async function readText(path: string): Promise<string | null> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
