interface Created {
  readonly CreateIndex: number;
  readonly ID: string;
}

/** Nomad's order of a list: by CreateIndex, then by ID. */
export const byCreation = (a: Created, b: Created): number => a.CreateIndex - b.CreateIndex || (a.ID < b.ID ? -1 : a.ID > b.ID ? 1 : 0);

/**
 * Objects by key, listed in order of creation. New objects nearly always come in that order, and a Map keeps the order
 * of insertion while values are replaced: so a list costs one copy after a change, and a sort only after several
 * objects were created under one index.
 */
export class OrderedMap<T extends Created> {
  #items = new Map<string, T>();
  #latest: T | undefined;
  #sorted = true;
  #list: readonly T[] | undefined;

  get size(): number {
    return this.#items.size;
  }

  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  set(key: string, item: T): void {
    this.#list = undefined;
    if (!this.#items.has(key)) {
      if (this.#latest && byCreation(item, this.#latest) < 0) this.#sorted = false;
      else this.#latest = item;
    }
    this.#items.set(key, item);
  }

  delete(key: string): void {
    if (this.#items.delete(key)) this.#list = undefined;
  }

  /** A list that stays as it is when the map changes. */
  list(): readonly T[] {
    if (this.#list) return this.#list;
    if (!this.#sorted) {
      this.#items = new Map([...this.#items].sort(([, a], [, b]) => byCreation(a, b)));
      this.#sorted = true;
    }
    this.#list = [...this.#items.values()];
    return this.#list;
  }

  /** The first that matches, in order of insertion. */
  find(matches: (item: T) => boolean): T | undefined {
    for (const item of this.#items.values()) if (matches(item)) return item;
    return undefined;
  }
}

const nothing: readonly never[] = [];

/** An OrderedMap that is also listed by group: allocations by job, evaluations by job. */
export class GroupedMap<T extends Created, Group extends string> {
  readonly #all = new OrderedMap<T>();
  readonly #keyOf: (item: T) => string;
  readonly #groupings: readonly (readonly [Group, (item: T) => string])[];
  readonly #groups: Record<Group, Map<string, OrderedMap<T>>>;

  constructor(keyOf: (item: T) => string, groupings: Readonly<Record<Group, (item: T) => string>>) {
    this.#keyOf = keyOf;
    this.#groupings = Object.entries(groupings) as [Group, (item: T) => string][];
    this.#groups = Object.fromEntries(this.#groupings.map(([group]) => [group, new Map()])) as Record<Group, Map<string, OrderedMap<T>>>;
  }

  get size(): number {
    return this.#all.size;
  }

  get(key: string): T | undefined {
    return this.#all.get(key);
  }

  list(): readonly T[] {
    return this.#all.list();
  }

  listOf(group: Group, name: string): readonly T[] {
    return this.#groups[group].get(name)?.list() ?? nothing;
  }

  find(matches: (item: T) => boolean): T | undefined {
    return this.#all.find(matches);
  }

  set(item: T): void {
    const key = this.#keyOf(item);
    const before = this.#all.get(key);
    this.#all.set(key, item);
    for (const [group, nameOf] of this.#groupings) {
      const name = nameOf(item);
      if (before && nameOf(before) !== name) this.#leave(group, nameOf(before), key);
      const members = this.#groups[group].get(name) ?? new OrderedMap<T>();
      this.#groups[group].set(name, members);
      members.set(key, item);
    }
  }

  delete(key: string): void {
    const item = this.#all.get(key);
    if (!item) return;
    this.#all.delete(key);
    for (const [group, nameOf] of this.#groupings) this.#leave(group, nameOf(item), key);
  }

  #leave(group: Group, name: string, key: string): void {
    const members = this.#groups[group].get(name);
    members?.delete(key);
    if (members?.size === 0) this.#groups[group].delete(name);
  }
}
