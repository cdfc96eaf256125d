import { refused } from "./artifact-error.js";
import type { ArtifactOptions } from "./artifact-options.js";

/** Small archives may unpack to many times their size. */
const freeBytes = 64 << 20;

/** What one archive may still unpack to. */
export class Budget {
  readonly #options: ArtifactOptions;
  readonly #archiveBytes: number;
  #bytes = 0;
  #entries = 0;

  constructor(options: ArtifactOptions, archiveBytes: number) {
    this.#options = options;
    this.#archiveBytes = archiveBytes;
  }

  /** @throws ArtifactError when it is one entry too many. */
  entry(): void {
    const { maxFiles } = this.#options;
    if (++this.#entries > maxFiles) throw refused(`the archive has more than ${maxFiles} entries`);
  }

  /** @throws ArtifactError when it is more than the archive may hold. */
  take(bytes: number): void {
    const { maxUnpackedBytes, maxRatio } = this.#options;
    this.#bytes += bytes;
    if (this.#bytes > maxUnpackedBytes) throw refused(`the archive unpacks to more than ${maxUnpackedBytes} bytes`);
    if (this.#bytes > freeBytes && this.#bytes > this.#archiveBytes * maxRatio) {
      throw refused(`the archive unpacks to more than ${maxRatio} times its size`);
    }
  }
}
