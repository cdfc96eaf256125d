import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { SystemClock } from "../clock.js";
import { FailingStore } from "../store/failing-store.js";
import { Keyring, KeyringError } from "./keyring.js";
import { seal, unseal } from "./seal.js";
import { Variables } from "./variables.js";

let dir: string;
let store: FailingStore;
let keyring: Keyring;
let variables: Variables;
const place = { namespace: "default", path: "app/db" };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-vars-"));
  mkdirSync(join(dir, "state"));
  store = new FailingStore({ clock: new SystemClock(), log: pino({ level: "silent" }) });
  keyring = Keyring.open(dir);
  variables = new Variables({ store, keyring, options: { maxVariables: 2 } });
});

afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const keyFile = (): string => join(dir, "state", "variables.keys");

test("a variable is what was written, and the store never sees its items", async () => {
  const result = await variables.write(place, { password: "hunter2-ß" });
  expect(result).toMatchObject({ outcome: "done", value: { Path: "app/db", Items: { password: "hunter2-ß" } } });
  expect(variables.read(place)?.Items).toEqual({ password: "hunter2-ß" });
  expect(JSON.stringify(store.variables(), (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value))).not.toMatch(
    /hunter2|password/,
  );
});

test("the key file is its owner's alone and is read again", async () => {
  await variables.write(place, { a: "1" });
  expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  const later = new Variables({ store, keyring: Keyring.open(dir), options: { maxVariables: 2 } });
  expect(later.read(place)?.Items).toEqual({ a: "1" });
});

test("after a rotation old variables are read with their key and new ones are written with the new one", async () => {
  await variables.write(place, { a: "old" });
  const before = store.variable("default", "app/db")?.KeyID;
  keyring.rotate();
  const reopened = new Variables({ store, keyring: Keyring.open(dir), options: { maxVariables: 2 } });
  expect(reopened.read(place)?.Items).toEqual({ a: "old" });
  await reopened.write(place, { a: "new" });
  expect(store.variable("default", "app/db")?.KeyID).not.toBe(before);
  expect(reopened.read(place)?.Items).toEqual({ a: "new" });
});

test("a full rotation encrypts everything with the new key and changes no items", async () => {
  await variables.write(place, { a: "1" });
  const { keyId } = await variables.rotate(true);
  expect(variables.keys).toEqual([keyId, expect.any(String)]);
  expect(store.variable("default", "app/db")?.KeyID).toBe(keyId);
  expect(variables.read(place)?.Items).toEqual({ a: "1" });
  rmSync(keyFile());
  mkdirSync(keyFile());
  await expect(variables.rotate(false)).rejects.toThrow(KeyringError);
  expect(variables.keys).toHaveLength(2);
});

test("a variable whose key is gone is told by that, and no new key takes its place", async () => {
  await variables.write(place, { a: "1" });
  rmSync(keyFile());
  const other = new Variables({ store, keyring: Keyring.open(dir), options: { maxVariables: 2 } });
  expect(() => other.read(place)).toThrow(/encrypted with key .* which is not in the keyring/);
});

test.each([
  ["no JSON", "nonsense"],
  ["no keys", "{}"],
  ["a short key", JSON.stringify({ keys: [{ id: "a", key: "AAAA" }] })],
])("a key file with %s is refused and stays as it is", (_what, content) => {
  writeFileSync(keyFile(), content);
  expect(() => Keyring.open(dir)).toThrow(KeyringError);
  expect(readFileSync(keyFile(), "utf8")).toBe(content);
});

test("encrypted items can not be read at another place, nor when a bit of them has changed", () => {
  const at = { Namespace: "default", Path: "a" };
  const stamps = { CreateIndex: 1, ModifyIndex: 1, CreateTime: 1n, ModifyTime: 1n };
  const sealed = { ...at, ...stamps, ...seal(at, { x: "y" }, keyring) };
  expect(unseal(sealed, keyring)).toEqual({ x: "y" });
  expect(() => unseal({ ...sealed, Path: "b" }, keyring)).toThrow(/can not be decrypted/);
  const bytes = Buffer.from(sealed.Data, "base64");
  bytes.writeUInt8(bytes.readUInt8(14) ^ 1, 14);
  expect(() => unseal({ ...sealed, Data: bytes.toString("base64") }, keyring)).toThrow(/can not be decrypted/);
});

test("a write that expects another index changes nothing and tells what is there", async () => {
  const first = await variables.write(place, { a: "1" }, 0);
  expect(first.outcome).toBe("done");
  expect(await variables.write(place, { a: "2" }, 0)).toMatchObject({ outcome: "conflict", found: { Items: { a: "1" } } });
  expect(await variables.delete(place, 999)).toMatchObject({ outcome: "conflict" });
  expect(await variables.write({ ...place, path: "none" }, { a: "2" }, 5)).toMatchObject({
    outcome: "conflict",
    found: { ModifyIndex: 0 },
  });
  const index = variables.read(place)?.ModifyIndex ?? 0;
  expect(await variables.write(place, { a: "3" }, index)).toMatchObject({ outcome: "done" });
  expect(await variables.delete(place, variables.read(place)?.ModifyIndex)).toMatchObject({ outcome: "done" });
  expect(variables.read(place)).toBeUndefined();
});

test("of many writers that expect the same index one wins", async () => {
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => variables.write(place, { winner: String(i) }, 0)));
  expect(results.filter(({ outcome }) => outcome === "done")).toHaveLength(1);
});

test("one more than the limit is refused, and a change of what is there is not", async () => {
  await variables.write({ ...place, path: "a" }, { x: "1" });
  await variables.write({ ...place, path: "b" }, { x: "1" });
  await expect(variables.write({ ...place, path: "c" }, { x: "1" })).rejects.toThrow(/there are 2, which is the limit/);
  await expect(variables.write({ ...place, path: "a" }, { x: "2" })).resolves.toMatchObject({ outcome: "done" });
});

test("a full disk refuses the write and leaves the old value", async () => {
  await variables.write(place, { a: "1" });
  store.failWrites();
  await expect(variables.write(place, { a: "2" })).rejects.toThrow(/can not be written/);
  expect(variables.read(place)?.Items).toEqual({ a: "1" });
  store.heal();
});

test.each(["nomad", "nomad/other", "nomad/job-templates", "nomad/job-templates/a/b", "a b", "a.b", "a@b", "", "x".repeat(129), "ä"])(
  "the path %j is refused",
  (path) => {
    expect(() => variables.write({ namespace: "default", path }, { a: "1" })).toThrow(/Path: got/);
  },
);

test.each(["nomad/jobs", "nomad/jobs/x/y/z", "nomad/job-templates/t", "a", "a/b-c_d~e", "nomads", "x".repeat(128)])(
  "the path %j is accepted",
  async (path) => {
    await expect(variables.write({ namespace: "default", path }, { a: "1" })).resolves.toMatchObject({ outcome: "done" });
  },
);
