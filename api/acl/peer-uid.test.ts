import { connect, createServer, type Server, Socket } from "node:net";
import { join, resolve } from "node:path";
import { NoHelper, PeerHelper } from "./peer-helper.js";
import { PeerUids } from "./peer-uid.js";

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (from: string, to: string, uid: number, inode: number): string =>
  `   0: ${from} ${to} 01 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;

/** A socket as the server sees it. */
const socket = (remoteAddress: string, remotePort: number, localAddress: string, localPort: number): Socket =>
  Object.create(
    new Socket(),
    Object.fromEntries(Object.entries({ remoteAddress, remotePort, localAddress, localPort }).map(([k, value]) => [k, { value }])),
  );

const peers = (tcp: string, tcp6 = ""): PeerUids => new PeerUids(undefined, async (table) => head + (table === "tcp" ? tcp : tcp6));
const here = "0100007F:1F90";

test("the row of the peer's own end tells, not that of ours", async () => {
  const tcp = row(here, "0100007F:C350", 33, 5) + row("0100007F:C350", here, 1000, 7);
  expect(await peers(tcp).of(socket("127.0.0.1", 50_000, "127.0.0.1", 8080))).toBe(1000);
});

test("an IPv6 socket that speaks IPv4 is found, and so is ::1", async () => {
  const mapped = row("0000000000000000FFFF00000100007F:C350", "0000000000000000FFFF00000100007F:1F90", 7, 9);
  expect(await peers("", mapped).of(socket("127.0.0.1", 50_000, "127.0.0.1", 8080))).toBe(7);
  expect(await peers("", mapped).of(socket("::ffff:127.0.0.1", 50_000, "::ffff:127.0.0.1", 8080))).toBe(7);
  const six = row("00000000000000000000000001000000:C350", "00000000000000000000000001000000:1F90", 8, 9);
  expect(await peers("", six).of(socket("::1", 50_000, "::1", 8080))).toBe(8);
});

test("a socket that nobody owns any more is not root's, although its row says 0", async () => {
  const gone = row("0100007F:C350", here, 0, 0);
  expect(await peers(gone).of(socket("127.0.0.1", 50_000, "127.0.0.1", 8080))).toBeUndefined();
});

test("one that is in no table, or has no address any more, is nobody's", async () => {
  expect(await peers("").of(socket("127.0.0.1", 50_000, "127.0.0.1", 8080))).toBeUndefined();
  expect(await peers("").of(new Socket())).toBeUndefined();
});

test("connections that come together share a read that began after they came", async () => {
  let reads = 0;
  const answers: ((text: string) => void)[] = [];
  const waiting = new PeerUids(undefined, (table) => {
    if (table === "tcp6") return Promise.resolve("");
    reads++;
    return new Promise((resolve) => answers.push(resolve));
  });
  const tcp = Array.from({ length: 4 }, (_, i) => row(`0100007F:C35${i}`, here, i, 7)).join("");
  const uids = [0, 1, 2, 3].map((i) => waiting.of(socket("127.0.0.1", 50_000 + i, "127.0.0.1", 8080)));
  expect(reads).toBe(1);
  // The first read began before the others came.
  answers[0]?.(tcp);
  await uids[0];
  expect(reads).toBe(2);
  answers[1]?.(tcp);
  expect(await Promise.all(uids)).toEqual([0, 1, 2, 3]);
});

/** The server's end of a real connection. */
async function connected(
  port?: (port: number) => void,
): Promise<{ readonly accepted: Socket; readonly client: Socket; close(): Promise<void> }> {
  const server: Server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const bound = (server.address() as { port: number }).port;
  port?.(bound);
  const accepting = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(bound, "127.0.0.1");
  const accepted = await accepting;
  return {
    accepted,
    client,
    close: async () => {
      client.destroy();
      accepted.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const compiled = join(resolve(import.meta.dirname, "../.."), "dist/api/acl/allocd-peer");

test.each([
  ["by the tables", undefined],
  ["by asking for it", compiled],
  ["by the tables, where there is no helper", "/no/such/helper"],
  ["by the tables, where the helper can not ask", "/bin/false"],
])("a real connection is ours: %s", async (_how, path) => {
  const helper = path === undefined ? undefined : new PeerHelper(path);
  const { accepted, close } = await connected();
  expect(await new PeerUids(helper).of(accepted)).toBe(process.getuid?.());
  helper?.close();
  await close();
});

test("the helper tells connections, gone ones and listeners apart", async () => {
  const helper = new PeerHelper(compiled);
  let bound = 0;
  const { accepted, client, close } = await connected((port) => {
    bound = port;
  });
  const peer = ["127.0.0.1", accepted.remotePort ?? 0] as const;
  expect(await helper.ask(peer, ["127.0.0.1", bound])).toEqual({ uid: process.getuid?.(), inode: expect.any(Number) });
  expect(await helper.ask(peer, ["127.0.0.1", bound === 1 ? 2 : 1])).toBeUndefined();
  // There is somebody at this port, who is no peer of anybody.
  expect(await helper.ask(["127.0.0.1", bound], ["127.0.0.1", 1])).toBeUndefined();
  client.resetAndDestroy();
  await new Promise((resolve) => accepted.once("close", resolve).on("error", () => {}));
  expect(await helper.ask(peer, ["127.0.0.1", bound])).toBeUndefined();
  helper.close();
  await expect(helper.ask(peer, ["127.0.0.1", bound])).rejects.toThrow(NoHelper);
  await close();
});
