import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

const names = new WeakMap<Socket, string | null>();

/** The common name of a client's certificate that our authority has signed. */
export function certificateName(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const known = names.get(socket);
  if (known !== undefined) return known ?? undefined;
  const given: unknown = socket.getPeerCertificate()?.subject?.CN;
  const name = typeof given === "string" ? given : null;
  names.set(socket, name);
  return name ?? undefined;
}
