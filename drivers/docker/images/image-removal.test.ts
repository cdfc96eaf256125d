import { setTimeout as pause } from "node:timers/promises";
import { FakeClock } from "../../../agent/allocs/testing/fake-clock.js";
import { busyboxImage, realTime } from "../testing/engine.js";
import { delayMs, describeImages, until } from "../testing/image-rig.js";

describeImages(
  "the removal of an image",
  () => new FakeClock(),
  (rig) => {
    const untilGone = (image: string): Promise<void> => until("the image to be gone", async () => !(await rig().isHere(image)));

    test("comes the delay after the last task, not before", async () => {
      const image = rig().fresh();
      await rig().ensure(image, { owner: "one" });
      await rig().ensure(image, { owner: "two" });
      rig().store.release("one");
      await rig().time.advance(delayMs * 2);
      expect(await rig().isHere(image)).toBe(true);
      rig().store.release("two");
      await rig().time.advance(delayMs - 1);
      expect(await rig().isHere(image)).toBe(true);
      await rig().time.advance(1);
      await untilGone(image);
    });

    test("does not come when the image is wanted again meanwhile", async () => {
      const image = rig().fresh();
      await rig().ensure(image);
      rig().store.release("task");
      await rig().time.advance(delayMs - 1);
      await rig().ensure(image, { owner: "next" });
      await rig().time.advance(delayMs * 2);
      await rig().store.close();
      expect(await rig().isHere(image)).toBe(true);
    });

    test("leaves what was here before, and everything when it is switched off", async () => {
      await rig().ensure(busyboxImage);
      rig().store.release("task");
      const image = rig().fresh();
      const keeping = rig().make({ gc: { enabled: false, delayMs: 0 } });
      await rig().ensure(image, {}, undefined, keeping);
      keeping.release("task");
      await rig().time.advance(delayMs * 2);
      await rig().closeStores();
      expect([await rig().isHere(busyboxImage), await rig().isHere(image)]).toEqual([true, true]);
    });

    test("leaves what a container of anybody uses, stopped or not", async () => {
      const image = rig().fresh();
      const { id } = await rig().ensure(image);
      const container = await rig().engine.docker.createContainer({ Image: image, HostConfig: { NetworkMode: "none" } });
      rig().store.release("task");
      await rig().time.advance(delayMs);
      await rig().store.close();
      expect(await rig().isHere(id)).toBe(true);
      await container.remove();
    });

    test("leaves an image that has got another name", async () => {
      const image = rig().fresh();
      const { id } = await rig().ensure(image);
      await rig().engine.docker.getImage(image).tag({ repo: "somebody/elses", tag: "1" });
      rig().store.release("task");
      await rig().time.advance(delayMs);
      await untilGone(image);
      await rig().store.close();
      expect(await rig().isHere(id)).toBe(true);
    });

    test("takes an image whose name is another's by now", async () => {
      const image = rig().fresh("latest");
      const old = await rig().ensure(image, { owner: "old" });
      rig().moveTag(image);
      const young = await rig().ensure(image, { owner: "young" });
      rig().store.release("old");
      await rig().time.advance(delayMs);
      await untilGone(old.id);
      expect(await rig().isHere(young.id)).toBe(true);
    });

    test("goes on after a restart of the agent, for the tasks that it finds", async () => {
      const image = rig().fresh();
      const found = await rig().ensure(image);
      await rig().store.close();
      await rig().time.advance(delayMs * 2);
      expect(await rig().isHere(image)).toBe(true);
      const next = rig().make();
      next.hold("task", image, found);
      next.release("task");
      await rig().time.advance(delayMs);
      await untilGone(image);
    });

    test("while the image is wanted again: the task gets it, whichever comes first", async () => {
      const quick = rig().make({ gc: { enabled: true, delayMs: 5 } }, realTime);
      const image = rig().fresh();
      for (let round = 0; round < 12; round++) {
        const { id } = await rig().ensure(image, {}, undefined, quick);
        expect(await rig().isHere(id)).toBe(true);
        quick.release("task");
        await pause(round * 2);
      }
    }, 30_000);
  },
);
