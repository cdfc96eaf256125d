import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askCredentialHelper } from "./credential-helper.js";
import { type AuthSources, findAuth } from "./registry-auth.js";

let dir: string;
let env: { readonly PATH: string };
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "allocd-auth-"));
  env = { PATH: `${dir}:/usr/bin:/bin` };
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const only = (helper = "", config = ""): AuthSources => ({ config, helper, env });
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function config(contents: object | string): AuthSources {
  const file = join(dir, "config.json");
  writeFileSync(file, typeof contents === "string" ? contents : JSON.stringify(contents));
  return only("", file);
}

function helper(name: string, script: string): void {
  const file = join(dir, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r server\n${script}\n`);
  chmodSync(file, 0o755);
}

test("a task's own credentials come first", async () => {
  const sources = { ...config({ auths: { "reg:5000": { auth: base64("file:pass") } } }), helper: "none-there" };
  expect(await findAuth("reg:5000", { username: "me", password: "secret", email: "me@there" }, sources)).toEqual({
    username: "me",
    password: "secret",
    email: "me@there",
    serveraddress: "reg:5000",
  });
  expect(await findAuth("docker.io", { username: "me", password: "p" }, only())).toMatchObject({
    serveraddress: "https://index.docker.io/v1/",
  });
  expect(await findAuth("docker.io", { username: "me", password: "p", serverAddress: "there" }, only())).toMatchObject({
    serveraddress: "there",
  });
});

test.each([
  ["reg:5000", { auths: { "reg:5000": { auth: base64("me:a:b") } } }, { username: "me", password: "a:b", serveraddress: "reg:5000" }],
  [
    "reg:5000",
    { auths: { "https://reg:5000/v1/": { username: "me", password: "p" } } },
    { username: "me", password: "p", serveraddress: "reg:5000" },
  ],
  [
    "docker.io",
    { auths: { "https://index.docker.io/v1/": { auth: base64("me:p") } } },
    { username: "me", password: "p", serveraddress: "https://index.docker.io/v1/" },
  ],
  ["reg:5000", { auths: { "reg:5000": { identitytoken: "t" } } }, { identitytoken: "t", serveraddress: "reg:5000" }],
  ["other", { auths: { "reg:5000": { auth: base64("me:p") } } }, undefined],
  ["reg:5000", { auths: { "reg:5000": {} } }, undefined],
  ["reg:5000", {}, undefined],
])("%s with the config file %j", async (registry, contents, expected) => {
  expect(await findAuth(registry, undefined, config(contents))).toEqual(expected);
});

test("the helper of a registry comes before the store, the store before what is stored", async () => {
  helper("one", `echo '{"ServerURL":"'$server'","Username":"of-one","Secret":"s1"}'`);
  helper("all", `echo '{"ServerURL":"'$server'","Username":"of-all","Secret":"s2"}'`);
  const sources = config({
    credHelpers: { "reg:5000": "one" },
    credsStore: "all",
    auths: { "reg:5000": { auth: base64("x:y") }, other: {} },
  });
  expect(await findAuth("reg:5000", undefined, sources)).toMatchObject({ username: "of-one", password: "s1" });
  expect(await findAuth("other", undefined, sources)).toMatchObject({ username: "of-all", password: "s2" });
});

test("a helper gets the server's name, and may answer with a token", async () => {
  helper("token", `printf '{"ServerURL":"x","Username":"<token>","Secret":"for %s"}' "$server"`);
  expect(await findAuth("docker.io", undefined, only("token"))).toEqual({
    identitytoken: "for https://index.docker.io/v1/",
    serveraddress: "https://index.docker.io/v1/",
  });
});

test("a helper that has nothing is no failure, and what is stored is taken", async () => {
  helper("empty", "echo 'credentials not found in native keychain'; exit 1");
  expect(await findAuth("reg", undefined, only("empty"))).toBeUndefined();
  expect(await findAuth("reg", undefined, config({ credsStore: "empty", auths: { reg: { auth: base64("me:p") } } }))).toMatchObject({
    username: "me",
  });
});

test.each([
  ["exit 3", "docker-credential-bad failed with exit code 3"],
  ["echo s3cret; exit 1", "docker-credential-bad failed with exit code 1"],
  ["echo s3cret", "the answer of docker-credential-bad has no Username and Secret"],
  [`echo '{"Username":"s3cret"}'`, "the answer of docker-credential-bad has no Username and Secret"],
  ["echo null", "the answer of docker-credential-bad has no Username and Secret"],
  ["exec head -c 1000000 /dev/zero", "docker-credential-bad answered with more than 65536 bytes"],
])("a helper that does %j is an error without a word of what it said", async (script, message) => {
  helper("bad", script);
  await expect(findAuth("reg", undefined, only("bad"))).rejects.toThrow(new Error(message));
});

test("a helper that does not answer is ended, with what it has started", async () => {
  helper("slow", "sleep 1000 & sleep 1000");
  await expect(askCredentialHelper("slow", "reg", env, 200)).rejects.toThrow("docker-credential-slow did not answer within 0.2 s");
});

test("a helper that is not there, or has no name of one, is an error", async () => {
  await expect(findAuth("reg", undefined, only("absent"))).rejects.toThrow(/^docker-credential-absent can not be run: .*ENOENT/);
  await expect(findAuth("reg", undefined, only("../x"))).rejects.toThrow('"../x" is no name of a credential helper');
});

test.each([
  ["{ s3cret", /config\.json is no JSON$/],
  ["[]", /config\.json is no object$/],
  ['{"auths":[]}', /auths is no object$/],
  ['{"auths":{"reg":{"auth":"s3cret"}}}', /an auth is no base64 of user:password$/],
  ['{"auths":{"reg":{"auth":7}}}', /a field is no string$/],
  ['{"credHelpers":{"reg":7}}', /what reg has is no string$/],
  ['{"credsStore":7}', /credsStore is no string$/],
])("a config file %j is an error without a word of it", async (contents, message) => {
  await expect(findAuth("reg", undefined, config(contents))).rejects.toThrow(message);
});

test("a config file that is not there is an error", async () => {
  await expect(findAuth("reg", undefined, only("", join(dir, "absent.json")))).rejects.toThrow(/absent\.json/);
});
