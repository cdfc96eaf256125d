import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { DriverError } from "../driver.js";

export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Whether the user database knows it. */
  readonly known: boolean;
}

/**
 * Finds the user that a task wants: by name, or by number with an optional ":gid".
 *
 * @throws DriverError when there is none of that name.
 */
export async function findUser(wanted: string): Promise<HostUser> {
  const user = await lookUp(wanted);
  for (const id of [user.uid, user.gid]) {
    // To the kernel 2^32-1 says "as it is", which is root.
    if (id > maxId) throw new DriverError(`User: got "${wanted}", want ids up to ${maxId}`, false);
  }
  return user;
}

const maxId = 2 ** 32 - 2;

async function lookUp(wanted: string): Promise<HostUser> {
  const [name = "", group] = wanted.split(":");
  const line = passwdLine(readFileSync("/etc/passwd", "utf8"), name) ?? (await fromDatabase(name));
  const gid = group === undefined ? undefined : number(group, wanted);
  if (line) return { ...line, gid: gid ?? line.gid, known: gid === undefined };
  if (/^\d{1,10}$/.test(name)) return { name, uid: Number(name), gid: gid ?? Number(name), home: "/", known: false };
  throw new DriverError(`failed to launch command with executor: user: unknown user ${name}`, false);
}

function number(text: string, wanted: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new DriverError(`User: got "${wanted}", want a name, a uid, or uid:gid`, false);
  return Number(text);
}

function passwdLine(passwd: string, name: string): HostUser | undefined {
  for (const line of passwd.split("\n")) {
    const [user = "", , uid = "", gid = "", , home = "/"] = line.split(":");
    if (user !== "" && (user === name || uid === name)) return { name: user, uid: Number(uid), gid: Number(gid), home, known: true };
  }
  return undefined;
}

/** Users that are not in the file: LDAP, systemd-homed. */
async function fromDatabase(name: string): Promise<HostUser | undefined> {
  try {
    const { stdout } = await promisify(execFile)("getent", ["passwd", "--", name], { timeout: 5_000 });
    return passwdLine(stdout, name);
  } catch {
    return undefined;
  }
}
