import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, unlinkSync, writeSync } from "node:fs";

/** Within so many bytes of a file's end the log turns to the next file at a line's end. Source: reference behaviour §5.6. */
const lineScanBytes = 32 * 1024;

export interface RotatingLogOptions {
  readonly dir: string;
  /** Files are `<name>.N`. */
  readonly name: string;
  readonly maxFiles: number;
  readonly maxFileBytes: number;
}

/** How far a log has come. */
export interface LogPlace {
  readonly index: number;
  readonly size: number;
}

/**
 * The log of one stream of one task: `<name>.0`, `<name>.1`, …, the oldest removed beyond `maxFiles`.
 *
 * A task that runs as root may replace a file here by a link. Hence every name is resolved from a directory that is
 * held open, links are never followed, and what is no regular file of one name is removed and made anew.
 */
export class RotatingLog {
  readonly #options: RotatingLogOptions;
  readonly #dirFd: number;
  #fd = -1;
  #index = 0;
  #size = 0;
  /** Bytes that went into files, of all that was to be written: what of a write that failed is not lost. */
  written = 0;

  /** Goes on with the newest file. @throws when the directory can not be opened. */
  constructor(options: RotatingLogOptions) {
    this.#options = options;
    this.#dirFd = openSync(options.dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      this.#index = Math.max(0, ...this.#indexes());
      this.#open();
    } catch (error) {
      closeSync(this.#dirFd);
      throw error;
    }
  }

  get place(): LogPlace {
    return { index: this.#index, size: this.#size };
  }

  /** How many bytes were written since the log was at a place; what has been removed since is not counted. */
  bytesSince({ index, size }: LogPlace): number {
    return this.#indexes()
      .filter((candidate) => candidate >= index)
      .reduce((sum, candidate) => sum + sizeOf(this.#path(candidate)) - (candidate === index ? size : 0), 0);
  }

  /**
   * Appends all of `bytes`, over as many files as it takes.
   *
   * @throws the file system's error; what was written before it stays written.
   */
  write(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      const room = this.#options.maxFileBytes - this.#size;
      if (room <= 0) {
        this.#rotate();
        continue;
      }
      const cut = cutBeforeEnd(rest, room, this.#size);
      if (cut === 0) {
        this.#rotate();
        continue;
      }
      const written = writeSync(this.#fd, rest, 0, cut);
      this.#size += written;
      this.written += written;
      rest = rest.subarray(written);
      if (written === cut && cut < room && rest.length > 0) this.#rotate();
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    closeSync(this.#dirFd);
  }

  #rotate(): void {
    const full = this.#fd;
    const index = this.#index;
    try {
      this.#index += 1;
      this.#open();
    } catch (error) {
      // Else every failure would count as a file, and the files that are there would soon be among the oldest.
      this.#index = index;
      throw error;
    }
    closeSync(full);
    for (const index of this.#indexes()) {
      if (index <= this.#index - this.#options.maxFiles) this.#remove(index);
    }
  }

  #open(): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    for (let attempt = 0; ; attempt++) {
      try {
        const fd = openSync(this.#path(this.#index), flags, 0o644);
        const stat = fstatSync(fd);
        if (stat.isFile() && stat.nlink === 1) {
          this.#fd = fd;
          this.#size = stat.size;
          return;
        }
        closeSync(fd);
      } catch (error) {
        if (!replaceable.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
      }
      // A task that keeps putting things here gets no log rather than an endless loop.
      if (attempt === 3) throw new Error(`${this.#options.name}.${this.#index} is no regular file`);
      this.#remove(this.#index);
    }
  }

  #remove(index: number): void {
    try {
      unlinkSync(this.#path(index));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EISDIR" || code === "EPERM") this.#index += 1;
      else if (code !== "ENOENT") throw error;
    }
  }

  #indexes(): number[] {
    const prefix = `${this.#options.name}.`;
    return readdirSync(`/proc/self/fd/${this.#dirFd}`)
      .filter((name) => name.startsWith(prefix) && /^\d{1,9}$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)));
  }

  #path(index: number): string {
    return `/proc/self/fd/${this.#dirFd}/${this.#options.name}.${index}`;
  }
}

const sizeOf = (path: string): number => lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Errors of an open that mean "something else lies there": a link, a directory, a FIFO or socket without a reader. */
const replaceable = new Set(["ELOOP", "EISDIR", "ENXIO", "EMLINK"]);

/**
 * How many bytes of `bytes` go into a file with `room` left. All when they fit; else up to the last line end within
 * the scan's range; else, in a file that holds something already and whose rest is short, none, so that the line stays whole.
 */
function cutBeforeEnd(bytes: Buffer, room: number, size: number): number {
  if (bytes.length <= room) return bytes.length;
  const from = Math.max(0, room - lineScanBytes);
  const end = bytes.lastIndexOf(10, room - 1);
  if (end >= from) return end + 1;
  const next = bytes.indexOf(10);
  const wholeLineFitsNext = next >= 0 && next < lineScanBytes;
  return size > 0 && room <= lineScanBytes && wholeLineFitsNext ? 0 : room;
}
