import { execFileSync } from "node:child_process";
import { createWriteStream, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DriverError } from "../../driver.js";
import { busyboxImage, realTime } from "../testing/engine.js";
import { describeImages } from "../testing/image-rig.js";

describeImages(
  "where images come from",
  () => realTime,
  (rig) => {
    describe("credentials", () => {
      const auth = { username: "me", password: "s3cret" };

      test.each(["Basic", "Bearer"] as const)("a task's own open a registry that wants %s", async (scheme) => {
        rig().registry.credentials = { scheme, ...auth };
        const image = rig().fresh();
        await expect(rig().ensure(image)).rejects.toMatchObject({ recoverable: false });
        await expect(rig().ensure(image, { auth: { ...auth, password: "wrong" } })).rejects.toMatchObject({
          message: expect.not.stringContaining("wrong"),
          recoverable: false,
        });
        expect(await rig().ensure(image, { auth })).toMatchObject({ isOurs: true });
        expect(rig().registry.logins.at(-1)).toBe(scheme === "Basic" ? "basic me" : "token me");
      });

      test("those of a config file do", async () => {
        rig().registry.credentials = { scheme: "Basic", ...auth };
        const config = join(rig().engine.dir, "config.json");
        writeFileSync(config, JSON.stringify({ auths: { [rig().registry.host]: { auth: Buffer.from("me:s3cret").toString("base64") } } }));
        const known = rig().make({ auth: { config, helper: "", env: {} } });
        expect(await rig().ensure(rig().fresh(), {}, undefined, known)).toMatchObject({ isOurs: true });
      });

      test("those of a helper do", async () => {
        rig().registry.credentials = { scheme: "Basic", ...auth };
        const { dir } = rig().engine;
        writeFileSync(join(dir, "docker-credential-test"), `#!/bin/sh\necho '{"Username":"me","Secret":"s3cret"}'\n`, { mode: 0o755 });
        const known = rig().make({ auth: { config: "", helper: "test", env: { PATH: `${dir}:/usr/bin:/bin` } } });
        expect(await rig().ensure(rig().fresh(), {}, undefined, known)).toMatchObject({ isOurs: true });
      });

      test("that can not be had are an error, unless the task does without", async () => {
        const image = rig().fresh();
        const broken = rig().make({ auth: { config: "/nowhere/config.json", helper: "", env: {} } });
        await expect(rig().ensure(image, {}, undefined, broken)).rejects.toMatchObject({
          message: expect.stringMatching(/^Failed to pull `.*`: Failed to find docker auth for repo "127.*": .*\/nowhere\/config\.json/),
          recoverable: false,
        });
        expect(await rig().ensure(image, { authSoftFail: true }, undefined, broken)).toMatchObject({ isOurs: true });
      });
    });

    describe("an archive", () => {
      async function saved(image: string): Promise<string> {
        const path = join(rig().engine.dir, "image.tar");
        await pipeline(await rig().engine.docker.getImage(image).get(), createWriteStream(path));
        return path;
      }

      test("is loaded when the image is not here, and the image is as a pulled one", async () => {
        const image = rig().fresh();
        const { id } = await rig().ensure(image);
        const load = await saved(image);
        await rig().engine.docker.getImage(image).remove({ force: true });
        expect(await rig().ensure(image, { load }, undefined, rig().make())).toMatchObject({ id, isOurs: true });
        expect([rig().said, rig().registry.pulls.length]).toEqual([["Downloading image"], 1]);
      });

      test("without the image is an error that says what it has", async () => {
        const image = rig().fresh();
        const load = await saved(busyboxImage);
        await expect(rig().ensure(image, { load })).rejects.toMatchObject({
          message: `Failed to load \`${image}\` from ${load}: it is not in there; the engine said: Loaded image: ${busyboxImage}`,
          recoverable: false,
        });
      });

      test.each([
        ["a link", (path: string) => symlinkSync("/etc/hostname", path), /ELOOP/],
        ["no archive", (path: string) => writeFileSync(path, "x".repeat(100_000)), /Failed to load/],
        ["a directory", (path: string) => execFileSync("mkdir", [path]), /it is no file/],
        ["a FIFO", (path: string) => execFileSync("mkfifo", [path]), /it is no file/],
        ["nothing", () => {}, /ENOENT/],
      ])("that is %s is an error", async (name, arrange, message) => {
        const load = join(rig().engine.dir, `bad ${name}`);
        arrange(load);
        await expect(rig().ensure(rig().fresh(), { load })).rejects.toThrow(message);
        await expect(rig().ensure(rig().fresh(), { load })).rejects.toBeInstanceOf(DriverError);
      });
    });
  },
);
