import { crc32, deflateRawSync } from "node:zlib";

/*
 * Archives as no honest program makes them.
 */

export interface TarEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  /** `0` a file, `1` a hard link, `2` a link, `3` a device, `5` a directory, `6` a FIFO. */
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
  /** What the header says, where that is not true. */
  readonly size?: number;
}

const block = 512;

export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(({ name, content = "", type = "0", link = "", mode = 0o644, size }) => {
    const body = Buffer.from(content);
    const header = Buffer.alloc(block);
    header.write(name, 0, 100);
    header.write(mode.toString(8).padStart(7, "0"), 100);
    for (const at of [108, 116]) header.write("0000000", at);
    header.write((size ?? body.length).toString(8).padStart(11, "0"), 124);
    header.write("00000000000", 136);
    header.write(" ".repeat(8), 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write("ustar\0" + "00", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, body, Buffer.alloc((block - (body.length % block)) % block)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

export interface ZipEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  /** With the file's type, as Unix has it. */
  readonly mode?: number;
  /** What the headers say, where that is not true. */
  readonly size?: number;
}

export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content = "", mode = 0o100644, size } of entries) {
    const body = Buffer.from(content);
    const packed = deflateRawSync(body);
    const title = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc(body), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(size ?? body.length, 18);
    common.writeUInt16LE(title.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, title, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([20, 3]), common, tail, title]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

const crc = (body: Buffer): number => crc32(body);
