import { compileFilter } from "../agent/model/filter.js";
import { checkUuidPrefix } from "../agent/model/uuid.js";
import { byId, type Order } from "./order.js";
import { pageOf } from "./page.js";
import { type Call, type Read, read } from "./route.js";

/** A list of state's objects. */
export interface Listing<T> {
  /** StateWatch keys. */
  readonly keys: readonly string[];
  index(): number;
  /** In ascending sequence of `order`. */
  items(): readonly T[];
  readonly order: Order<T>;
  /** How `prefix` is read: as the start of a UUID, or as plain text. */
  readonly ids: "uuid" | "text";
  encode(item: T): string;
}

interface Item {
  readonly ID: string;
  readonly Namespace?: string;
}

/**
 * Reads prefix, namespace, filter, per_page, next_token and reverse, at once so that a mistake does not wait, and
 * answers with the page that they ask for. Source: reference behaviour §1.8.
 *
 * @throws AllocdError, InvalidUuid or FilterError, all of them 400.
 */
export function listRead<T extends Item>({ query, visible }: Call, list: Listing<T>): Read {
  const { perPage, reverse, namespace } = query;
  const prefix = query.text("prefix");
  const expression = query.text("filter");
  const nextToken = query.text("next_token");
  const start = prefix !== undefined && list.ids === "uuid" ? checkUuidPrefix(prefix) : prefix;
  const filter = expression === undefined ? undefined : compileFilter(expression);
  const order: Order<T> = start !== undefined && list.ids === "uuid" ? byId : list.order;
  if (nextToken !== undefined) order.place(nextToken);

  const keeper =
    (sees: (namespace: string) => boolean) =>
    (item: T): boolean =>
      (item.Namespace === undefined || (namespace === "*" ? sees(item.Namespace) : item.Namespace === namespace)) &&
      (filter === undefined || filter(item));
  return read({
    keys: list.keys,
    coalesce: true,
    index: () => list.index(),
    result: () => {
      const all = list.items();
      const items = start === undefined ? all : all.filter((item) => item.ID.startsWith(start)).sort(order.compare);
      const page = pageOf(items, order, { perPage, nextToken, reverse, keep: keeper(visible()) });
      const json = `[${page.items.map((item) => list.encode(item)).join(",")}]`;
      return page.nextToken === undefined ? { json } : { json, nextToken: page.nextToken };
    },
  });
}
