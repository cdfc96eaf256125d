import { promisify } from "node:util";
import { gzip } from "node:zlib";

const gzipAsync = promisify(gzip);
/** What an entry costs besides its bytes, roughly. */
const ENTRY_BYTES = 512;

export interface Encoded {
  readonly json: string;
  readonly nextToken?: string;
}

/** One encoded response, shared by all who ask for it. */
export class CachedResponse {
  readonly body: Buffer;
  readonly nextToken: string | undefined;
  #gzip: Promise<Buffer> | undefined;

  constructor(
    readonly index: number,
    encoded: Encoded,
    readonly level: number,
  ) {
    this.body = Buffer.from(encoded.json);
    this.nextToken = encoded.nextToken;
  }

  /** The body compressed, once for all. */
  gzip(): Promise<Buffer> {
    this.#gzip ??= gzipAsync(this.body, { level: this.level });
    return this.#gzip;
  }
}

/** Keeps the newest response of each set of parameters, the latest used ones within a limit of bytes. */
export class ResponseCache {
  readonly #entries = new Map<string, CachedResponse>();
  readonly #limit: number;
  readonly #level: number;
  #bytes = 0;

  constructor(options: { readonly responseCacheBytes: number; readonly gzipLevel: number }) {
    this.#limit = options.responseCacheBytes;
    this.#level = options.gzipLevel;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param key path and parameters.
   * @param index the index of the data: another one is another response.
   */
  get(key: string, index: number, encode: () => Encoded): CachedResponse {
    const found = this.#entries.get(key);
    if (found !== undefined) this.#remove(key, found);
    const entry = found?.index === index ? found : new CachedResponse(index, encode(), this.#level);
    this.#entries.set(key, entry);
    this.#bytes += cost(key, entry);
    for (const [oldest, victim] of this.#entries) {
      if (this.#bytes <= this.#limit) break;
      this.#remove(oldest, victim);
    }
    return entry;
  }

  #remove(key: string, entry: CachedResponse): void {
    this.#entries.delete(key);
    this.#bytes -= cost(key, entry);
  }
}

/** The compressed twin is counted from the start, at the most that it takes beside a JSON body. */
const cost = (key: string, entry: CachedResponse): number => ENTRY_BYTES + 2 * key.length + 1.25 * entry.body.length;
