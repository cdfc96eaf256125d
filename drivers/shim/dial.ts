import { connect, type Socket } from "node:net";

/** @returns a connection to the shim that answers at a socket; undefined when none does. */
export const dial = (path: string): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", () => resolve(undefined));
  });
