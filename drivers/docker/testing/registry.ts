import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { busyboxTar } from "./engine.js";

interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

/** What a registry does instead of what it should. */
export interface Fault {
  /** Answers every request for a manifest with this status and error. */
  readonly status?: number;
  readonly error?: { readonly code: string; readonly message: string };
  /** A layer stops after so many bytes, until `goOn`. */
  readonly stallAfter?: number;
  /** A layer breaks off after so many bytes. */
  readonly breakAfter?: number;
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";
const configType = "application/vnd.docker.container.image.v1+json";
const layerType = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/** A registry on loopback, which engines take without TLS. All images are busybox with something of their own in it. */
export class TestRegistry {
  /** Requests for manifests, as `<repository>:<tag>`. */
  readonly pulls: string[] = [];
  /** The scheme and user of every request that carried credentials. */
  readonly logins: string[] = [];
  fault: Fault = {};
  /** What it wants to see; null is nothing. */
  credentials: { readonly scheme: "Basic" | "Bearer"; readonly username: string; readonly password: string } | null = null;
  readonly #blobs = new Map<string, Blob>();
  readonly #manifests = new Map<string, Blob>();
  readonly #layer: Buffer;
  readonly #stalled = new Set<() => void>();
  readonly #token = randomBytes(16).toString("hex");
  readonly #server = createServer((request, response) => this.#serve(request, response));

  private constructor() {
    const dir = mkdtempSync(join(tmpdir(), "allocd-registry-"));
    this.#layer = gzipSync(readFileSync(busyboxTar(dir, ["sh", "sleep", "true"])));
    rmSync(dir, { recursive: true });
  }

  static async start(): Promise<TestRegistry> {
    const registry = new TestRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many wait in the midst of a layer. */
  get stalled(): number {
    return this.#stalled.size;
  }

  /** @returns the image's name with this registry in front. */
  add(repository: string, tag = "1"): string {
    const own = gzipSync(oneFileTar(randomBytes(200_000)));
    const layers = [this.#layer, own];
    const config = this.#blob(
      JSON.stringify({
        architecture: { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch,
        os: "linux",
        config: { Cmd: ["sh"], Env: ["PATH=/bin", `OF=${repository}`], WorkingDir: "/tmp" },
        rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(gunzipSync(layer))) },
      }),
    );
    const manifest = this.#blob(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: { mediaType: configType, size: config.bytes.length, digest: config.digest },
        layers: layers.map((layer) => ({ mediaType: layerType, size: layer.length, digest: this.#blob(layer).digest })),
      }),
    );
    this.#manifests.set(`${repository}:${tag}`, manifest);
    this.#manifests.set(`${repository}:${manifest.digest}`, manifest);
    return `${this.host}/${repository}:${tag}`;
  }

  digest(repository: string, tag = "1"): string {
    return this.#manifests.get(`${repository}:${tag}`)?.digest ?? "";
  }

  /** Forgets what happened, but no image. */
  reset(): void {
    this.fault = {};
    this.credentials = null;
    this.pulls.length = 0;
    this.logins.length = 0;
  }

  /** Layers that have stalled come. */
  goOn(): void {
    for (const send of this.#stalled) send();
    this.#stalled.clear();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #blob(bytes: Buffer | string): Blob {
    const blob = { digest: digestOf(bytes), bytes: Buffer.from(bytes) };
    this.#blobs.set(blob.digest, blob);
    return blob;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "", "http://registry");
    const [scheme = "", value = ""] = (request.headers.authorization ?? "").split(" ");
    if (scheme === "Basic")
      this.logins.push(`${pathname === "/token" ? "token" : "basic"} ${Buffer.from(value, "base64").toString().split(":")[0]}`);
    if (pathname === "/token") {
      const { username, password } = this.credentials ?? { username: "", password: "" };
      if (Buffer.from(value, "base64").toString() !== `${username}:${password}`)
        return void answer(response, 401, "UNAUTHORIZED", "incorrect username or password");
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ token: this.#token, expires_in: 300 }));
      return;
    }
    if (!this.#mayPass(scheme, value)) {
      const bearer = `Bearer realm="http://${this.host}/token",service="test"`;
      response.setHeader("www-authenticate", this.credentials?.scheme === "Basic" ? 'Basic realm="test"' : bearer);
      return void answer(response, 401, "UNAUTHORIZED", "authentication required");
    }
    if (pathname === "/v2/") return void response.end("{}");
    const [, repository = "", kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(pathname) ?? [];
    if (kind === "manifests") this.#manifest(`${repository}:${reference}`, request.method === "HEAD", response);
    else if (kind === "blobs") this.#sendBlob(reference, response);
    else answer(response, 404, "NAME_UNKNOWN", "repository name not known to registry");
  }

  #mayPass(scheme: string, value: string): boolean {
    if (!this.credentials) return true;
    const { username, password } = this.credentials;
    const wanted = this.credentials.scheme === "Basic" ? Buffer.from(`${username}:${password}`).toString("base64") : this.#token;
    return scheme === this.credentials.scheme && value === wanted;
  }

  #manifest(name: string, isHead: boolean, response: ServerResponse): void {
    if (!isHead) this.pulls.push(name);
    const { status, error } = this.fault;
    if (status !== undefined) return void answer(response, status, error?.code ?? "UNKNOWN", error?.message ?? "fault");
    const manifest = this.#manifests.get(name);
    if (!manifest) return void answer(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    response.setHeader("content-type", manifestType);
    response.setHeader("docker-content-digest", manifest.digest);
    response.setHeader("content-length", manifest.bytes.length);
    response.end(isHead ? undefined : manifest.bytes);
  }

  #sendBlob(digest: string, response: ServerResponse): void {
    const blob = this.#blobs.get(digest);
    if (!blob) return void answer(response, 404, "BLOB_UNKNOWN", "blob unknown");
    response.setHeader("content-length", blob.bytes.length);
    const { stallAfter, breakAfter } = this.fault;
    const stop = stallAfter ?? breakAfter;
    if (stop === undefined || blob.bytes.length <= stop) return void response.end(blob.bytes);
    response.write(blob.bytes.subarray(0, stop), () => {
      if (breakAfter !== undefined) return void response.destroy();
      const rest = (): void => void response.end(blob.bytes.subarray(stop));
      this.#stalled.add(rest);
      response.once("close", () => this.#stalled.delete(rest));
    });
  }
}

const digestOf = (bytes: Buffer | string): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function answer(response: ServerResponse, status: number, code: string, message: string): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

/** An archive of one file, "own". */
function oneFileTar(contents: Buffer): Buffer {
  const dir = mkdtempSync(join(tmpdir(), "allocd-registry-"));
  try {
    execFileSync("sh", ["-c", 'cat >"$0/own"', dir], { input: contents });
    return execFileSync("tar", ["-C", dir, "-cf", "-", "own"], { maxBuffer: 16 * 1024 * 1024 });
  } finally {
    rmSync(dir, { recursive: true });
  }
}
