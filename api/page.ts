import type { Order } from "./order.js";

export interface PageOptions<T> {
  /** 0 is everything. */
  readonly perPage: number;
  /** Where the page begins, itself included. */
  readonly nextToken: string | undefined;
  readonly reverse: boolean;
  /** What belongs to the list at all. */
  keep(item: T): boolean;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; undefined when this is the last. */
  readonly nextToken: string | undefined;
}

/**
 * Cuts one page out of a list. It looks at no item behind the page.
 *
 * @param items in the order's ascending sequence.
 */
export function pageOf<T>(items: readonly T[], order: Order<T>, options: PageOptions<T>): Page<T> {
  const { perPage, nextToken, reverse, keep } = options;
  const place = nextToken === undefined ? undefined : order.place(nextToken);
  const page: T[] = [];
  for (let i = 0; i < items.length; i++) {
    const item = items[reverse ? items.length - 1 - i : i] as T;
    if (place !== undefined && (reverse ? place(item) > 0 : place(item) < 0)) continue;
    if (!keep(item)) continue;
    if (perPage > 0 && page.length === perPage) return { items: page, nextToken: order.token(item) };
    page.push(item);
  }
  return { items: page, nextToken: undefined };
}
