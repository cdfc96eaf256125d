import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type Docker from "dockerode";
import { DriverError, type TerminalSize } from "../../driver.js";
import { allPids, commandLine } from "../../shim/proc.js";
import { busyboxImage, describeWithEngine, shellessImage } from "../testing/engine.js";
import { ExecClient, type ExecClientOptions } from "../testing/exec-client.js";

const size: TerminalSize = { rows: 33, cols: 99 };
const sh = (script: string): string[] => ["sh", "-c", script];
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The container's processes but its first, as the host sees them. */
async function others(container: Docker.Container): Promise<string[]> {
  const { Processes } = (await container.top({ ps_args: "-eo pid,args" })) as { Processes: string[][] };
  return Processes.map(([, command = ""]) => command).filter((command) => command !== "sleep 100000");
}

async function untilAlone(container: Docker.Container, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  for (let left = await others(container); left.length > 0; left = await others(container)) {
    if (Date.now() > end) throw new Error(`left in the container: ${left.join("; ")}`);
    await pause(20);
  }
}

describeWithEngine("exec in a container", (engine) => {
  let container: Docker.Container;
  beforeAll(async () => {
    container = await engine().container();
  });
  afterEach(() => untilAlone(container), 20_000);

  const start = (command: readonly string[], options?: ExecClientOptions, id = container.id): Promise<ExecClient> =>
    ExecClient.start(engine().docker, id, command, options);
  async function run(script: string, options?: ExecClientOptions): Promise<ExecClient> {
    const client = await start(sh(script), options);
    await client.exited;
    return client;
  }

  test("stdout and stderr come apart, then their ends, then the exit code", async () => {
    const client = await run("echo out; echo err >&2; exit 3");
    expect(await client.exited).toEqual({ exitCode: 3, reason: "" });
    expect([client.text(1), client.text(2), client.marks]).toEqual(["out\n", "err\n", ["closed 1", "closed 2", "exited"]]);
  });

  test("a command gets the container's environment, its own, and its user", async () => {
    const client = await run('echo "$HOSTNAME $EXTRA $(id -u)"', { env: { EXTRA: "more" }, user: "65534" });
    expect(client.text()).toBe(`${container.id.slice(0, 12)} more 65534\n`);
  });

  test.each([
    ["true", 0],
    ["exit 255", 255],
    ["kill -9 $$", 137],
    ["kill -TERM $$", 143],
    ["exit 126", 126],
    ["exit 127", 127],
  ])("%s ends with %i", async (script, exitCode) => {
    expect(await (await run(script)).exited).toEqual({ exitCode, reason: "" });
  });

  test("the exit does not wait for the client to close stdin", async () => {
    const client = await start(sh("echo hi; exit 4"));
    expect(await client.exited).toEqual({ exitCode: 4, reason: "" });
    expect(client.text()).toBe("hi\n");
  });

  test("closing stdin closes nothing else", async () => {
    const client = await start(sh("cat; echo rest; sleep 0.3; echo more; exit 7"));
    await client.send("first ");
    await client.send("last\n", true);
    expect(await client.exited).toEqual({ exitCode: 7, reason: "" });
    expect(client.text()).toBe("first last\nrest\nmore\n");
  });

  test("stdin that nobody takes any more is no error", async () => {
    const client = await start(sh("exec <&-; sleep 0.3"));
    await Promise.all(Array.from({ length: 20 }, () => client.process.stdin(Buffer.alloc(100_000, "x"), false)));
    expect(await client.exited).toMatchObject({ exitCode: 0 });
    await client.process.stdin(Buffer.from("late"), true);
    await client.process.end("late");
  });

  test("50 MB go in and come back, byte for byte", async () => {
    const bytes = randomBytes(50 * 1024 * 1024);
    const client = await start(["cat"]);
    for (let at = 0; at < bytes.length; at += 64 * 1024) await client.process.stdin(bytes.subarray(at, at + 64 * 1024), false);
    await client.process.stdin(Buffer.alloc(0), true);
    expect(await client.exited).toEqual({ exitCode: 0, reason: "" });
    expect([client.received, sha256(client.bytes())]).toEqual([bytes.length, sha256(bytes)]);
  }, 60_000);

  test("50 MB go through a terminal in raw mode, byte for byte", async () => {
    const bytes = randomBytes(50 * 1024 * 1024);
    const client = await start(
      sh(
        `stty raw -echo; printf ready; head -c ${bytes.length} | sha256sum; head -c ${bytes.length} /dev/urandom >/tmp/r; sha256sum </tmp/r; printf go; cat /tmp/r`,
      ),
      { tty: size },
    );
    await client.said(/ready/);
    for (let at = 0; at < bytes.length; at += 64 * 1024) await client.process.stdin(bytes.subarray(at, at + 64 * 1024), false);
    expect(await client.exited).toEqual({ exitCode: 0, reason: "" });
    const all = client.bytes();
    const [, taken, given] = /^ready(\w+) {2}-\n(\w+) {2}-\ngo/.exec(all.subarray(0, 300).toString("latin1")) ?? [];
    expect(taken).toBe(sha256(bytes));
    expect(given).toBe(sha256(all.subarray(all.length - bytes.length)));
  }, 90_000);

  test("output waits for a client that does not read, and goes on when it does", async () => {
    const total = 12_000_000;
    const client = await start(sh(`head -c ${total} /dev/zero; echo done >&2`), { reads: false });
    // The engine itself keeps about a megabyte, and the kernel some more.
    for (let before = -1; before !== client.received; await pause(300)) before = client.received;
    expect(client.received).toBeGreaterThan(1_000_000);
    expect(client.received).toBeLessThan(1_300_000);
    expect(client.text(2)).toBe("");
    client.read();
    expect(await client.exited).toEqual({ exitCode: 0, reason: "" });
    expect([client.bytes().length, client.text(2)]).toEqual([total, "done\n"]);
  });

  // What the engine drops: it gives up on a connection two seconds after a command's end.
  test("a command that ends while its client does not read loses nothing", async () => {
    const totals = Array.from({ length: 12 }, (_, i) => 2_200_000 + i * 40_000);
    const clients = await Promise.all(totals.map((total) => start(sh(`head -c ${total} /dev/zero`), { reads: false })));
    await pause(4_000);
    for (const client of clients) client.read();
    await Promise.all(clients.map((client) => client.exited));
    expect(clients.map((client) => client.bytes().length)).toEqual(totals);
  }, 30_000);

  test("characters that are cut come whole together", async () => {
    const text = "äöü€😀".repeat(40_000);
    const client = await start(["cat"]);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 9_999) await client.process.stdin(bytes.subarray(at, at + 9_999), at + 9_999 >= bytes.length);
    await client.exited;
    expect(client.text()).toBe(text);
  });

  describe("a command that is not there", () => {
    test.each([
      ["nope", null, /^exec failed: .*"nope": executable file not found in \$PATH$/],
      ["/no/such", null, /^exec failed: .*"\/no\/such": .*no such file or directory$/],
      ["/bin", null, /^exec failed: .*"\/bin": permission denied$/],
      ["nope", size, /^exec failed: .*"nope": executable file not found in \$PATH$/],
      ["/no/such", size, /^exec failed: .*"\/no\/such": no such file or directory$/],
      ["/bin", size, /^exec failed: .*"\/bin": /],
    ])("%s (terminal: %o) is an error and no output", async (name, tty, text) => {
      await expect(start([name], { tty })).rejects.toThrow(text);
      await expect(start([name], { tty })).rejects.toBeInstanceOf(DriverError);
    });

    test("a user that is not there is an error", async () => {
      await expect(start(["true"], { user: "nobody-of-that-name" })).rejects.toThrow(
        /^exec failed: unable to find user nobody-of-that-name/,
      );
    });

    test("a command that says the same as the engine would is output", async () => {
      const client = await run("echo 'OCI runtime exec failed: exec failed: no such file'; exit 126");
      expect([client.text(), await client.exited]).toEqual([
        "OCI runtime exec failed: exec failed: no such file\n",
        { exitCode: 126, reason: "" },
      ]);
    });

    test("a container that is not there is an error", async () => {
      await expect(start(["true"], {}, "no-such-container")).rejects.toThrow(
        "failed to create exec object: No such container: no-such-container",
      );
    });
  });

  describe("a terminal", () => {
    test("has its size when the command looks, 10 of 10", async () => {
      for (let round = 0; round < 10; round++) {
        const client = await start(["stty", "size"], { tty: size });
        await client.exited;
        expect(client.text()).toBe("33 99\r\n");
      }
    });

    test("is resized, and the command told", async () => {
      const client = await start(sh("trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done"), { tty: size });
      await client.said(/up/);
      client.process.resize({ rows: 44, cols: 111 });
      await client.said(/44 111/);
      for (let cols = 50; cols <= 70; cols++) client.process.resize({ rows: 20, cols });
      await client.said(/20 70/);
      await client.process.end("seen");
    });

    test("has one stream", async () => {
      const client = await run("echo out; echo err >&2", { tty: size });
      expect([client.text(), client.marks]).toEqual(["out\r\nerr\r\n", ["closed 1", "exited"]]);
    });

    test("passes keys on: a shell, and Control-C in it", async () => {
      const client = await start(["sh"], { tty: size });
      await client.send("(echo in''side; exec sleep 1000)\n");
      await client.said(/inside/);
      await client.send("\u0003");
      await client.send("echo code $?; exit 5\n");
      expect(await client.exited).toEqual({ exitCode: 5, reason: "" });
      expect(client.text()).toMatch(/code 130/);
    });

    test("passes each key on at once, and keys that the engine would take for its own", async () => {
      const client = await start(sh("stty raw -echo; printf up; for i in 1 2 3 4; do printf '<%s>' \"$(head -c 1)\"; done"), { tty: size });
      await client.said(/up/);
      for (const key of ["\u0010", "\u0011", "\u001c", "\u001b"]) {
        await client.send(key);
        await client.said(new RegExp(`<${key}>`));
      }
      expect(await client.exited).toEqual({ exitCode: 0, reason: "" });
    });

    test("has an end of input: Control-D in canonical mode", async () => {
      const client = await start(sh("cat; exit 6"), { tty: size });
      await client.send("line\n", true);
      expect(await client.exited).toEqual({ exitCode: 6, reason: "" });
    });

    test("in raw mode is hung up a while after its input ended", async () => {
      const client = await start(sh("stty raw; echo up; exec cat"), { tty: size });
      await client.said(/up/);
      await client.send("", true);
      expect(await client.exited).toMatchObject({ reason: "the client closed stdin" });
    }, 15_000);

    test("of an engine that takes sizes is given its size, and there is no shell in between", async () => {
      const asked: unknown[] = [];
      const { docker } = engine();
      const newer: Docker = Object.assign(Object.create(docker), {
        version: async () => ({ ApiVersion: "1.43" }),
        getContainer: (id: string) => {
          const real = docker.getContainer(id);
          return Object.assign(Object.create(real), {
            exec: (options: Docker.ExecCreateOptions) => {
              asked.push(options.Cmd, options.ConsoleSize);
              return real.exec(options);
            },
          });
        },
      });
      const client = await ExecClient.start(newer, container.id, ["true"], { tty: size });
      expect(await client.exited).toEqual({ exitCode: 0, reason: "" });
      expect(asked).toEqual([["true"], [33, 99]]);
    });

    test("of a container without a shell works, and gets its size", async () => {
      const bare = await engine().container(["sleep", "100000"], shellessImage);
      const client = await start(["cat"], { tty: size }, bare.id);
      await client.send("hello\n");
      await client.said(/hello\r\nhello\r\n/);
      await client.process.end("seen");
      await expect(start(["nope"], { tty: size }, bare.id)).rejects.toThrow(/"nope": executable file not found/);
      await bare.remove({ force: true });
    });
  });

  describe("a client that goes", () => {
    test.each([null, size])("ends the command and what it has started by setsid, and nothing else (terminal: %o)", async (tty) => {
      const stays = await start(sh("echo up; exec sleep 4711"));
      const client = await start(
        sh("setsid sleep 77123 & (setsid nohup sleep 77124 &) ; env -i sleep 77125 & sleep 77126 & echo up; exec sleep 77127"),
        { tty },
      );
      await Promise.all([client.said(/up/), stays.said(/up/)]);
      await client.process.end("the client is gone");
      expect(await client.exited).toMatchObject({ reason: "the client is gone" });
      expect(await others(container)).toEqual(["sleep 4711"]);
      await stays.process.end("enough");
    });

    test("a command that wants to stay is killed", async () => {
      const client = await start(sh("trap '' HUP TERM; echo up; while :; do sleep 1; done"));
      await client.said(/up/);
      await client.process.end("the client is gone");
      expect(await client.exited).toEqual({ exitCode: 137, reason: "the client is gone" });
    }, 15_000);

    test("a command that cleans up has the time to", async () => {
      const client = await start(sh("trap 'echo bye; exit 9' HUP; echo up; while :; do sleep 0.05; done"));
      await client.said(/up/);
      await client.process.end("the client is gone");
      expect(await client.exited).toEqual({ exitCode: 9, reason: "the client is gone" });
    });

    test("a command that has changed its environment is known by its pid", async () => {
      const client = await start(["env", "-i", "sh", "-c", "sleep 1000 & echo up; exec sleep 1001"]);
      await client.said(/up/);
      await client.process.end("the client is gone");
    });

    test("a command whose output nobody takes ends too", async () => {
      const client = await start(["yes"], { reads: false });
      while (client.received < 1_000_000) await pause(10);
      await client.process.end("the client is gone");
      expect(await client.exited).toMatchObject({ reason: "the client is gone" });
    });

    test("processes that outlived the command end too", async () => {
      const client = await start(sh("setsid sleep 1000 & echo up"));
      await client.said(/up/);
      await client.process.end("the client is gone");
    });

    test("at random moments nothing stays in the container", async () => {
      const scripts = [
        "exec sleep 1000",
        "setsid sleep 1000 & sleep 1000",
        "yes",
        "for i in 1 2 3; do sleep 1000 & done; wait",
        "exit 0",
        "while :; do setsid sleep 1 & sleep 0.01; done",
      ];
      const drop = async (i: number): Promise<void> => {
        const client = await start(sh(scripts[i % scripts.length] as string), { tty: i % 2 ? size : null, reads: i % 3 > 0 });
        await pause(Math.random() * 120);
        await client.process.end("the client is gone");
        await client.exited;
      };
      for (let round = 0; round < 6; round++) await Promise.all(Array.from({ length: 6 }, (_, i) => drop(round * 6 + i)));
      await untilAlone(container, 2_000);
    }, 60_000);
  });

  describe("a container that ends", () => {
    test("ends its sessions, with a reason", async () => {
      const doomed = await engine().container();
      const clients = await Promise.all([null, size].map((tty) => start(sh("echo up; exec sleep 1000"), { tty }, doomed.id)));
      await Promise.all(clients.map((client) => client.said(/up/)));
      await doomed.kill();
      for (const client of clients) expect(await client.exited).toEqual({ exitCode: 137, reason: "the container has ended" });
      await expect(start(["true"], {}, doomed.id)).rejects.toThrow(/^failed to create exec object: Container \w+ is not running$/);
      await doomed.remove({ force: true });
    });

    test("by removal: the same", async () => {
      const doomed = await engine().container();
      const client = await start(sh("echo up; exec sleep 1000"), {}, doomed.id);
      await client.said(/up/);
      await doomed.remove({ force: true });
      expect((await client.exited).reason).toMatch(/^the container (has ended|is gone)$/);
    });

    test("while commands start: each is an error or ends, and none hangs", async () => {
      for (let round = 0; round < 4; round++) {
        const doomed = await engine().container();
        const tries = Array.from({ length: 6 }, async (_, i) => {
          await pause(i * 12);
          try {
            const client = await start(sh("sleep 1000"), { tty: i % 2 ? size : null }, doomed.id);
            return (await client.exited).reason;
          } catch (error) {
            if (!(error instanceof DriverError)) throw error;
            return error.message;
          }
        });
        await pause(30 + round * 20);
        await doomed.kill();
        for (const said of await Promise.all(tries)) expect(said).not.toBe("");
        await doomed.remove({ force: true });
      }
    }, 60_000);
  });

  test("an engine that dies ends the session and its command", async () => {
    const client = await start(sh("echo up; exec sleep 88123"));
    await client.said(/up/);
    await engine().crash();
    expect(await client.exited).toMatchObject({ exitCode: -1 });
    expect(allPids().filter((pid) => commandLine(pid).includes("88123"))).toEqual([]);
    await engine().up();
    container = await engine().container();
  }, 40_000);

  test("the images are there", async () => {
    expect((await engine().docker.listImages()).flatMap(({ RepoTags }) => RepoTags ?? []).sort()).toEqual(
      [busyboxImage, shellessImage].sort(),
    );
  });
});
