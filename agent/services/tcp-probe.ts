import { connect } from "node:net";
import { dialError, failure, hostPort, type Probe, type ProbeResult, success, timeoutError } from "./probe.js";

/** Whether somebody takes a connection. Source of the texts: reference behaviour §10. */
export const tcpProbe =
  (address: string, port: number): Probe =>
  (signal) =>
    new Promise<ProbeResult>((resolve) => {
      const socket = connect({ host: address, port });
      const end = (result: ProbeResult): void => {
        signal.removeEventListener("abort", late);
        socket.destroy();
        resolve(result);
      };
      const refused = (error: Error): void => end(failure(dialError(error, hostPort(address, port))));
      const late = (): void => refused(timeoutError());
      socket.once("connect", () => end(success("nomad: tcp ok")));
      // Not once: a socket may fail again on its way out, and nobody would hear it.
      socket.on("error", refused);
      signal.addEventListener("abort", late, { once: true });
      if (signal.aborted) late();
    });
