import { connect, createServer, type Server, Socket } from "node:net";
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

const peers = (tcp: string, tcp6 = ""): PeerUids => new PeerUids(async (table) => head + (table === "tcp" ? tcp : tcp6));
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
  const waiting = new PeerUids((table) => {
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

test("a real connection is ours", async () => {
  const server: Server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(port, "127.0.0.1");
  expect(await new PeerUids().of(await accepted)).toBe(process.getuid?.());
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
});
