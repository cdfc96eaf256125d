import { AllocdError } from "../agent/errors.js";
import { describe } from "../agent/model/invalid-field.js";

/** An order of a list, and the token that names a place in it. */
export interface Order<T> {
  /** Ascending. */
  compare(a: T, b: T): number;
  /** The item's own place. */
  token(item: T): string;
  /** @returns how an item lies to the place: below 0 before it, 0 at it. @throws AllocdError 400 when the text names no place. */
  place(token: string): (item: T) => number;
}

interface Stamped {
  readonly ID: string;
  readonly CreateIndex: number;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const badToken = (token: string): AllocdError =>
  new AllocdError("bad-query", `next_token: got ${describe(token)}, want the X-Nomad-NextToken of an earlier page of the same list`);

/** Oldest first. Tokens are `<CreateIndex>.<ID>`. Source: reference behaviour §1.8. */
export const byCreateIndex: Order<Stamped> = {
  compare: (a, b) => a.CreateIndex - b.CreateIndex || order(a.ID, b.ID),
  token: (item) => `${item.CreateIndex}.${item.ID}`,
  place: (token) => {
    const [, index, id] = /^(\d{1,16})\.(.+)$/.exec(token) ?? [];
    if (index === undefined || id === undefined) throw badToken(token);
    return (item) => item.CreateIndex - Number(index) || order(item.ID, id);
  },
};

/** The order of a list by prefix. Tokens are `<ID>`. */
export const byId: Order<{ readonly ID: string }> = {
  compare: (a, b) => order(a.ID, b.ID),
  token: (item) => item.ID,
  place: (token) => (item) => order(item.ID, token),
};

interface Named {
  readonly Namespace: string;
  readonly ID: string;
}

/** The order of jobs. Tokens are `<Namespace>.<ID>`, the id encoded because any letters may be in it but not in a header. */
export const byNamespaceAndId: Order<Named> = {
  compare: (a, b) => order(a.Namespace, b.Namespace) || order(a.ID, b.ID),
  // Half a surrogate pair can not be encoded.
  token: (item) => `${item.Namespace}.${encodeURIComponent(item.ID.replace(/[\ud800-\udfff]/gu, "\ufffd"))}`,
  place: (token) => {
    const [, namespace, encoded] = /^([^.]+)\.(.+)$/.exec(token) ?? [];
    const id = encoded === undefined ? undefined : decoded(encoded);
    if (namespace === undefined || id === undefined) throw badToken(token);
    return (item) => order(item.Namespace, namespace) || order(item.ID, id);
  },
};

/** The order of services. Tokens are `<Namespace>.<ServiceName>`, the name encoded. */
export const byServiceName: Order<{ readonly Namespace: string; readonly ServiceName: string }> = {
  compare: (a, b) => order(a.Namespace, b.Namespace) || order(a.ServiceName, b.ServiceName),
  token: (item) => `${item.Namespace}.${encodeURIComponent(item.ServiceName)}`,
  place: (token) => {
    const [, namespace, encoded] = /^([^.]+)\.(.+)$/.exec(token) ?? [];
    const name = encoded === undefined ? undefined : decoded(encoded);
    if (namespace === undefined || name === undefined) throw badToken(token);
    return (item) => order(item.Namespace, namespace) || order(item.ServiceName, name);
  },
};

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
