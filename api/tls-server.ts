import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { createSecureContext } from "node:tls";
import type { ServerMaker } from "./deps.js";

/** Source: reference behaviour §1.11. */
const HANDSHAKE_MS = 5_000;

export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** Empty: no authority but those that Node knows, which matters only where clients' certificates are asked for. */
  readonly caFile: string;
  readonly verifyClients: boolean;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** A certificate or key that can not be used. The message names the setting. */
export class TlsError extends Error {
  override readonly name = "TlsError";
}

/** Serves TLS with a certificate from files, which can be read again while connections go on with the one they have. */
export class TlsServer {
  readonly #options: TlsOptions;
  #server: Server | undefined;

  constructor(options: TlsOptions) {
    this.#options = options;
  }

  /** @throws TlsError */
  readonly make: ServerMaker = (options) => {
    const { verifyClients } = this.#options;
    this.#server = createServer({
      ...options,
      ...this.#read(),
      requestCert: verifyClients,
      rejectUnauthorized: verifyClients,
      handshakeTimeout: HANDSHAKE_MS,
    });
    // A client that speaks something else is its own trouble.
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
    return this.#server;
  };

  /** Reads the files again; new connections get what is in them. What can not be used changes nothing. @throws TlsError */
  reload(): void {
    this.#server?.setSecureContext(this.#read());
  }

  #read() {
    const { certFile, keyFile, caFile, minVersion } = this.#options;
    const context = {
      cert: file("tls.cert_file", certFile),
      key: file("tls.key_file", keyFile),
      ...(caFile === "" ? {} : { ca: file("tls.ca_file", caFile) }),
      minVersion,
    };
    try {
      createSecureContext(context);
    } catch (error) {
      throw new TlsError(`tls.cert_file, tls.key_file: got "${certFile}" and "${keyFile}": ${(error as Error).message}`, { cause: error });
    }
    return context;
  }
}

function file(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new TlsError(`${setting}: got "${path}": ${(error as Error).message}`, { cause: error });
  }
}
