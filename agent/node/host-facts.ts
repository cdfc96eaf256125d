import { access, readFile, statfs } from "node:fs/promises";
import os from "node:os";
import { resolve } from "node:path";

/** When a host tells no frequency at all, as many virtual ARM machines do. */
const UNKNOWN_MHZ = 1_000;
const MIB = 1_048_576;

/** Where the host's own descriptions are, so that tests can bring their own. */
export interface HostPaths {
  readonly proc: string;
  readonly sys: string;
  readonly etc: string;
}

export interface CpuFacts {
  readonly cores: number;
  /** Of one core. */
  readonly mhz: number;
  readonly model: string;
}

/** The base or highest frequency, as the momentary one of an idle host is far too low. */
export async function cpuFacts({ sys }: HostPaths): Promise<CpuFacts> {
  const cpus = os.cpus();
  const speeds = await Promise.all(
    ["base_frequency", "cpuinfo_max_freq"].map((file) => readNumber(`${sys}/devices/system/cpu/cpu0/cpufreq/${file}`)),
  );
  const kHz = speeds.find((speed) => speed !== null && speed > 0);
  const mhz = kHz ? Math.floor(kHz / 1_000) : Math.max(0, ...cpus.map((cpu) => cpu.speed));
  return { cores: Math.max(1, cpus.length), mhz: mhz || UNKNOWN_MHZ, model: cpus[0]?.model.trim() ?? "" };
}

export interface DiskFacts {
  readonly volume: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** The file system that the data directory is on. */
export async function diskFacts(dataDir: string, { proc }: HostPaths): Promise<DiskFacts> {
  const { blocks, bavail, bsize } = await statfs(dataDir);
  return { volume: await volumeOf(resolve(dataDir), proc), totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}

async function volumeOf(path: string, proc: string): Promise<string> {
  const mounts = ((await readText(`${proc}/mounts`)) ?? "").split("\n").map((line) => line.split(" "));
  const holding = mounts.filter(([, at]) => at !== undefined && (at === "/" || path === at || path.startsWith(`${at}/`)));
  const deepest = holding.reduce<string[]>((best, mount) => ((mount[1]?.length ?? 0) >= (best[1]?.length ?? 0) ? mount : best), []);
  return deepest[0] ?? "";
}

/** The name and version of the distribution, as in `debian` and `12`. */
export async function osFacts({ etc }: HostPaths): Promise<{ readonly name: string; readonly version: string }> {
  const text = (await readText(`${etc}/os-release`)) ?? "";
  const member = (name: string): string => new RegExp(`^${name}=(["']?)(.*)\\1$`, "m").exec(text)?.[2] ?? "";
  return { name: member("ID") || "linux", version: member("VERSION_ID") };
}

/** "2", "1", or "" where there are no cgroups. */
export async function cgroupsVersion({ sys }: HostPaths): Promise<string> {
  if (await exists(`${sys}/fs/cgroup/cgroup.controllers`)) return "2";
  return (await exists(`${sys}/fs/cgroup/memory`)) ? "1" : "";
}

/**
 * The first address of an interface, IPv4 before IPv6.
 *
 * @param name "" is the loopback interface.
 * @throws Error naming the interface and those that exist.
 */
export function addressOf(name: string): { readonly ip: string; readonly device: string } {
  if (name === "") return { ip: "127.0.0.1", device: "lo" };
  const interfaces = os.networkInterfaces();
  const addresses = interfaces[name];
  const best = addresses?.find((a) => a.family === "IPv4") ?? addresses?.[0];
  if (!best) throw new Error(`network interface: got ${JSON.stringify(name)}, want one of ${Object.keys(interfaces).join(", ")}`);
  return { ip: best.address, device: name };
}

export const toMiB = (bytes: number): number => Math.floor(bytes / MIB);

async function readNumber(path: string): Promise<number | null> {
  const text = await readText(path);
  return text === null ? null : Number.parseInt(text, 10) || null;
}

async function readText(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
