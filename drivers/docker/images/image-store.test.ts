import { FakeClock } from "../../../agent/allocs/testing/fake-clock.js";
import { DriverError } from "../../driver.js";
import { busyboxImage } from "../testing/engine.js";
import { describeImages, until } from "../testing/image-rig.js";

describeImages(
  "images",
  () => new FakeClock(),
  (rig) => {
    test("an image that is not here is pulled, and its config told", async () => {
      const found = await rig().ensure(rig().fresh());
      expect(found).toMatchObject({ isOurs: true, config: { Cmd: ["sh"], WorkingDir: "/tmp" } });
      expect([rig().said, rig().registry.pulls.length, await rig().isHere(found.id)]).toEqual([["Downloading image"], 1, true]);
    });

    test("an image that is here is not, and no task hears of a download", async () => {
      const found = await rig().ensure(busyboxImage);
      expect([found.isOurs, rig().said]).toEqual([false, []]);
      const image = rig().fresh();
      await rig().ensure(image);
      await rig().ensure(image, { owner: "other" });
      expect([rig().said, rig().registry.pulls.length]).toEqual([["Downloading image"], 1]);
    });

    test("by digest and by id", async () => {
      const image = rig().fresh();
      const repository = image.replace(/:1$/, "");
      const digest = rig().registry.digest(repository.replace(/^[^/]+\//, ""));
      const { id } = await rig().ensure(`${repository}@${digest}`);
      expect((await rig().ensure(id)).id).toBe(id);
      await expect(rig().ensure("f".repeat(64))).rejects.toThrow(`Failed to pull \`${"f".repeat(64)}\`: there is no image of this id`);
    });

    test.each([
      ["force_pull", "1", true],
      ["the tag latest", "latest", false],
    ])("%s asks the registry each time", async (_name, tag, forcePull) => {
      const image = rig().fresh(tag);
      const one = await rig().ensure(image, { forcePull });
      const two = await rig().ensure(image, { forcePull });
      expect(two.id).toBe(one.id);
      rig().moveTag(image);
      expect((await rig().ensure(image, { forcePull })).id).not.toBe(one.id);
    });

    test("many tasks that want the same image share one pull, however they write it, and each is told", async () => {
      rig().stall();
      const image = rig().fresh();
      const heard: string[][] = Array.from({ length: 8 }, () => []);
      const all = heard.map((messages, i) =>
        rig().store.ensure(
          { image: i % 2 ? image : `https://${image}`, owner: `task ${i}`, forcePull: false, pullTimeoutMs: 0 },
          (message) => messages.push(message),
        ),
      );
      await rig().untilStalled();
      await until("all to be told of the download", () => heard.every((messages) => messages[0] === "Downloading image"));
      rig().goOn();
      const ids = new Set((await Promise.all(all)).map(({ id }) => id));
      expect([ids.size, rig().registry.pulls.length]).toEqual([1, 1]);
    });

    test("a task that gives up costs the others nothing", async () => {
      rig().stall();
      const image = rig().fresh();
      const gone = new AbortController();
      const stays = rig().ensure(image, { owner: "stays" });
      const leaves = rig().ensure(image, { owner: "leaves" }, gone.signal);
      await rig().untilStalled();
      await until("both to wait", () => rig().said.length === 2);
      gone.abort();
      await expect(leaves).rejects.toThrow("the task does not want it any more");
      rig().goOn();
      expect(await stays).toMatchObject({ isOurs: true });
      expect(rig().registry.pulls).toHaveLength(1);
    });

    test("after the last task has given up, another one has it pulled", async () => {
      rig().stall();
      const image = rig().fresh();
      const gone = new AbortController();
      const leaves = rig().ensure(image, {}, gone.signal);
      await rig().untilStalled();
      gone.abort();
      await expect(leaves).rejects.toBeInstanceOf(DriverError);
      rig().registry.reset();
      expect(await rig().ensure(image)).toMatchObject({ isOurs: true });
    });

    test("a pull whose bytes do not come is given up after two minutes, and may be tried again", async () => {
      rig().stall();
      const image = rig().fresh();
      let error: unknown;
      void rig()
        .ensure(image)
        .catch((thrown: unknown) => {
          error = thrown;
        });
      await rig().untilStalled();
      const begun = rig().time.monotonicMs();
      await until("the pull to be given up", async () => {
        if (error === undefined) await rig().time.advance(1_000);
        return error !== undefined;
      });
      expect(error).toMatchObject({ message: `Failed to pull \`${image}\`: no progress for 120 s`, recoverable: true });
      expect(rig().time.monotonicMs() - begun).toBeGreaterThanOrEqual(120_000);
    });

    test("a task's own time is its own", async () => {
      rig().stall();
      const image = rig().fresh();
      const patient = rig().ensure(image, { owner: "patient" });
      const failed = expect(rig().ensure(image, { owner: "hasty", pullTimeoutMs: 10_000 })).rejects.toMatchObject({
        message: `Failed to pull \`${image}\`: it takes longer than 10 s`,
        recoverable: true,
      });
      await rig().untilStalled();
      await until("both to wait", () => rig().said.length === 2);
      await rig().time.advance(11_000);
      await failed;
      rig().goOn();
      await patient;
    });

    test("a pull that takes long says how far it is, every two minutes", async () => {
      rig().stall();
      const slow = rig().make({ stallMs: 1_000_000_000 });
      const found = rig().ensure(rig().fresh(), {}, undefined, slow);
      await rig().untilStalled();
      await rig().time.advance(119_000);
      expect(rig().said).toEqual(["Downloading image"]);
      await rig().time.advance(2_000);
      expect(rig().said).toHaveLength(2);
      await until("the layers to be known", async () => {
        await rig().time.advance(120_000);
        return /layers/.test(rig().said.at(-1) ?? "");
      });
      expect(rig().said.at(-1)).toMatch(
        /^Docker image pull progress: Pulled \d\/2 \(.+B\/.+B\) layers: \d waiting\/\d pulling( - est [\d.]+s remaining)?$/,
      );
      rig().goOn();
      await found;
    });

    test("after its end the store pulls nothing", async () => {
      rig().stall();
      const waits = expect(rig().ensure(rig().fresh())).rejects.toBeInstanceOf(DriverError);
      await rig().untilStalled();
      await rig().store.close();
      await waits;
      await expect(rig().ensure(rig().fresh())).rejects.toBeInstanceOf(DriverError);
    });

    describe("a pull that fails", () => {
      test.each([
        ["no such tag", { status: 404, error: { code: "MANIFEST_UNKNOWN", message: "manifest unknown" } }, false],
        ["denied", { status: 403, error: { code: "DENIED", message: "requested access to the resource is denied" } }, false],
        ["a broken registry", { status: 500 }, true],
        ["a busy registry", { status: 503 }, true],
        ["too many requests", { status: 429, error: { code: "TOOMANYREQUESTS", message: "You have reached your pull rate limit" } }, true],
      ])(
        "%s",
        async (_name, fault, recoverable) => {
          const image = rig().fresh();
          rig().registry.fault = fault;
          const error = await rig()
            .ensure(image)
            .catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(DriverError);
          expect(error).toMatchObject({ message: expect.stringContaining(`Failed to pull \`${image}\`: `), recoverable });
          rig().registry.fault = {};
          expect(await rig().ensure(image)).toMatchObject({ isOurs: true });
        },
        30_000,
      );

      test("nobody listens there", async () => {
        await expect(rig().ensure("127.0.0.1:9/none:1")).rejects.toMatchObject({
          message: expect.stringMatching(/^Failed to pull `127\.0\.0\.1:9\/none:1`: .*connection refused/),
          recoverable: true,
        });
      });

      test("a reference that is none", async () => {
        await expect(rig().ensure("Not An Image")).rejects.toMatchObject({
          message: expect.stringContaining('"Not An Image"'),
          recoverable: false,
        });
      });

      test("all who wait are told", async () => {
        const image = rig().fresh();
        rig().registry.fault = { status: 404, error: { code: "MANIFEST_UNKNOWN", message: "manifest unknown" } };
        const all = await Promise.allSettled([1, 2, 3].map((i) => rig().ensure(image, { owner: `task ${i}` })));
        expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      });

      test("an engine that can not be reached", async () => {
        await rig().engine.crash();
        await expect(rig().ensure(busyboxImage)).rejects.toMatchObject({
          message: expect.stringContaining(busyboxImage),
          recoverable: true,
        });
        await rig().engine.up();
      }, 30_000);

      test("an engine that dies in the midst", async () => {
        rig().stall();
        const image = rig().fresh();
        const failed = expect(rig().ensure(image)).rejects.toMatchObject({ message: expect.stringContaining(image), recoverable: true });
        await rig().untilStalled();
        await rig().engine.crash();
        await failed;
        await rig().engine.up();
      }, 30_000);
    });
  },
);
