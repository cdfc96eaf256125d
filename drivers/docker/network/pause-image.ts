import { DriverError } from "../../driver.js";

/** What holds a network namespace does nothing, for ever. */
export const pauseImage = "allocd/pause:1";
export const pauseCommand = "/pause";

/** x86-64: pause(2) and again. */
const pauseX64 = Buffer.from("b8220000000f05ebf7", "hex");
/** arm64, which has no pause(2): ppoll(2) of nothing without an end, and again. */
const pauseArm64 = Buffer.from(
  [0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, 0xd2800928, 0xd4000001, 0x17fffff9].flatMap((word) => [
    word & 0xff,
    (word >>> 8) & 0xff,
    (word >>> 16) & 0xff,
    word >>> 24,
  ]),
);

const programs: Readonly<Record<string, { readonly machine: number; readonly code: Buffer }>> = {
  x64: { machine: 62, code: pauseX64 },
  arm64: { machine: 183, code: pauseArm64 },
};

/**
 * A root file system with one program of some hundred bytes, as an archive: nothing has to be pulled, or found on the host.
 *
 * @throws DriverError for a processor that we have no program for.
 */
export function pauseArchive(arch: string): Buffer {
  const program = programs[arch];
  if (!program) throw new DriverError(`no program to hold a network for ${arch}: set drivers.docker.infra_image`, false);
  return archive(pauseCommand.slice(1), executable(program.machine, program.code));
}

const headerBytes = 64;
const segmentBytes = 56;
const loadAddress = 0x400000n;

/** A static ELF file: a header, one segment that holds the whole file, the code. */
function executable(machine: number, code: Buffer): Buffer {
  const file = Buffer.alloc(headerBytes + segmentBytes + code.length);
  const start = loadAddress + BigInt(headerBytes + segmentBytes);
  Buffer.from("7f454c46020101", "hex").copy(file);
  file.writeUInt16LE(2, 16); // an executable
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20); // version
  file.writeBigUInt64LE(start, 24);
  file.writeBigUInt64LE(BigInt(headerBytes), 32); // where the segments are described
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(segmentBytes, 54);
  file.writeUInt16LE(1, 56); // one segment
  file.writeUInt32LE(1, headerBytes); // to be loaded
  file.writeUInt32LE(5, headerBytes + 4); // readable, executable
  file.writeBigUInt64LE(loadAddress, headerBytes + 16);
  file.writeBigUInt64LE(loadAddress, headerBytes + 24);
  file.writeBigUInt64LE(BigInt(file.length), headerBytes + 32);
  file.writeBigUInt64LE(BigInt(file.length), headerBytes + 40);
  file.writeBigUInt64LE(0x1000n, headerBytes + 48); // alignment
  code.copy(file, headerBytes + segmentBytes);
  return file;
}

const block = 512;

/** A tar file with one file that may be run. */
function archive(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number): void =>
    void header.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  header.write(name, 0, "latin1");
  octal(0o755, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(content.length, 124, 11);
  octal(0, 136, 11);
  header.fill(" ", 148, 156);
  header.write("0", 156, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header.write("\0 ", 154, "latin1");
  return Buffer.concat([header, content, Buffer.alloc((block - (content.length % block)) % block), Buffer.alloc(2 * block)]);
}
