import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { AllocdError } from "../agent/errors.js";
import { describe } from "../agent/model/invalid-field.js";

/**
 * Keeps pages in a browser away from the agent: a foreign origin, and a host name that is not ours (a name can be
 * rebound to this host's address, an IP literal can not). CORS headers go to origins that an operator has listed, and to
 * no others.
 */
export class Guard {
  readonly #hostNames: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  /**
   * @param hostNames names of this agent besides `localhost`.
   * @param origins of pages that may use the API, such as `https://ops.example`.
   */
  constructor(hostNames: readonly string[], origins: readonly string[] = []) {
    this.#origins = new Set(origins.map((origin) => origin.toLowerCase()));
    this.#hostNames = new Set(["localhost", ...hostNames.map((name) => name.toLowerCase())]);
  }

  /**
   * Checks a request, and answers what a browser asks before it sends one.
   *
   * @returns true when that was all.
   * @throws AllocdError 403 that says which header is refused.
   */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    this.check(request);
    const { origin } = request.headers;
    if (origin === undefined || !this.#isListed(origin)) return false;
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Vary", "Accept-Encoding, Origin");
    response.setHeader("Access-Control-Expose-Headers", "X-Nomad-Index, X-Nomad-KnownLeader, X-Nomad-LastContact, X-Nomad-NextToken");
    if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
    response.writeHead(204, {
      "Access-Control-Allow-Methods": "GET, PUT, POST, DELETE",
      "Access-Control-Allow-Headers": "X-Nomad-Token, Authorization, Content-Type",
    });
    response.end();
    return true;
  }

  /** @throws AllocdError 403 that says which header is refused. */
  check(request: IncomingMessage): void {
    const { host, origin } = request.headers;
    // HTTP/1.0 alone may come without: no browser speaks it.
    if (host !== undefined && !this.#isOurs(host)) {
      throw new AllocdError("permission-denied", `Host: got ${describe(host)}, want an IP address or a name of this agent`);
    }
    if (isPageVisit(request)) return;
    if (origin !== undefined && this.#isListed(origin)) return;
    if (origin !== undefined && !isSameOrigin(origin, host)) {
      throw new AllocdError("permission-denied", `Origin: got ${describe(origin)}, want this agent's own origin or none`);
    }
    const site = request.headers["sec-fetch-site"];
    if (site !== undefined && site !== "same-origin" && site !== "none") {
      throw new AllocdError("permission-denied", `Sec-Fetch-Site: got ${describe(site)}, want "same-origin" or "none"`);
    }
  }

  #isListed(origin: string): boolean {
    return this.#origins.has(origin.toLowerCase());
  }

  #isOurs(host: string): boolean {
    const name = /^(?:\[([^\]]*)\]|([^:[\]@/?#\\]*))(?::\d{1,5})?$/.exec(host);
    if (name === null) return false;
    if (name[1] !== undefined) return isIP(name[1]) === 6;
    const plain = (name[2] ?? "").toLowerCase().replace(/\.$/, "");
    return isIP(plain) === 4 || this.#hostNames.has(plain);
  }
}

/** A link to the UI on another site, followed by a person: shows the UI and tells the other site nothing. */
function isPageVisit(request: IncomingMessage): boolean {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  return (
    request.method === "GET" &&
    request.headers["sec-fetch-mode"] === "navigate" &&
    request.headers["sec-fetch-dest"] === "document" &&
    request.headers.upgrade === undefined &&
    (path === "/" || path === "/ui" || (path.startsWith("/ui/") && !path.includes("..")))
  );
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  const named = /^https?:\/\/(.+)$/i.exec(origin)?.[1];
  return named !== undefined && host !== undefined && named.toLowerCase() === host.toLowerCase();
}
