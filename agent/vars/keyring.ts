import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

const keyBytes = 32;

/** A file of keys that is there and can not be used. Making another one would lose what was encrypted with it. */
export class KeyringError extends Error {
  override readonly name = "KeyringError";
}

/**
 * The keys that variables are encrypted with, in a file of mode 0600 beside the state. The first one encrypts; the others
 * are kept for what was encrypted with them before.
 */
export class Keyring {
  readonly #file: string;
  #keys: readonly Key[];

  private constructor(file: string, keys: readonly Key[]) {
    this.#file = file;
    this.#keys = keys;
  }

  /**
   * Reads the file, or makes one when there is none.
   *
   * @throws KeyringError when it is there and is no keyring, or can not be read or written.
   */
  static open(dataDir: string): Keyring {
    const file = join(dataDir, "state", "variables.keys");
    try {
      return new Keyring(file, parseKeys(readFileSync(file, "utf8")));
    } catch (error) {
      if (error instanceof KeyringError || (error as NodeJS.ErrnoException).code !== "ENOENT") {
        throw new KeyringError(`${file}: ${(error as Error).message}`, { cause: error });
      }
    }
    const keyring = new Keyring(file, []);
    keyring.rotate();
    return keyring;
  }

  /** The one to encrypt with. */
  get active(): Key {
    const [key] = this.#keys;
    if (!key) throw new KeyringError(`${this.#file}: there is no key`);
    return key;
  }

  /** Their ids, the active one first. */
  get ids(): readonly string[] {
    return this.#keys.map(({ id }) => id);
  }

  find(id: string): Key | undefined {
    return this.#keys.find((key) => key.id === id);
  }

  /** Encrypts with a new key from now on. @throws KeyringError when it can not be written. */
  rotate(): Key {
    const key = { id: randomUUID(), bytes: randomBytes(keyBytes) };
    const keys = [key, ...this.#keys];
    const draft = `${this.#file}.new`;
    try {
      writeFileSync(draft, `${JSON.stringify({ keys: keys.map(({ id, bytes }) => ({ id, key: bytes.toString("base64") })) })}\n`, {
        mode: 0o600,
        flush: true,
      });
      renameSync(draft, this.#file);
    } catch (error) {
      throw new KeyringError(`${this.#file}: ${(error as Error).message}`, { cause: error });
    }
    this.#keys = keys;
    return key;
  }
}

function parseKeys(text: string): readonly Key[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new KeyringError(`no JSON: ${(error as Error).message}`);
  }
  const { keys } = (content ?? {}) as { readonly keys?: unknown };
  if (!Array.isArray(keys) || keys.length === 0) throw new KeyringError("want keys");
  return keys.map((entry: { readonly id?: unknown; readonly key?: unknown } | null) => {
    const bytes = Buffer.from(typeof entry?.key === "string" ? entry.key : "", "base64");
    if (typeof entry?.id !== "string" || bytes.length !== keyBytes)
      throw new KeyringError(`want keys of ${keyBytes} bytes, each with its id`);
    return { id: entry.id, bytes };
  });
}
