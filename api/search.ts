import type { StateReader } from "../agent/store/state-store.js";

/** One thing that was found: its id, and where it is. */
export interface Match {
  readonly ID: string;
  readonly Scope?: readonly string[];
}

interface Subject extends Match {
  readonly namespace: string | null;
}

/** What a search looks through, by the name of its context. Source: Nomad's search API. */
type Contexts = Readonly<Record<string, (store: StateReader) => readonly Subject[]>>;

const subject = (namespace: string | null, ID: string, ...Scope: readonly string[]): Subject => ({
  namespace,
  ID,
  ...(Scope.length > 0 ? { Scope } : {}),
});

const deployments = (store: StateReader) => store.jobs().flatMap((job) => store.deploymentsOfJob(job.Namespace, job.ID));

/** Contexts that are searched by the start of an id. */
export const PREFIX_CONTEXTS: Contexts = {
  allocs: (store) => store.allocs().map((a) => subject(a.Namespace, a.ID)),
  deployment: (store) => deployments(store).map((d) => subject(d.Namespace, d.ID)),
  evals: (store) => store.evals().map((e) => subject(e.Namespace, e.ID)),
  jobs: (store) => store.jobs().map((job) => subject(job.Namespace, job.ID)),
  namespaces: (store) => store.namespaces().map(({ Name }) => subject(null, Name)),
  node_pools: (store) => [store.node()].flatMap((node) => (node ? [subject(null, node.NodePool)] : [])),
  nodes: (store) => [store.node()].flatMap((node) => (node ? [subject(null, node.ID)] : [])),
};

/** Contexts whose ids are UUIDs: a prefix that is none finds nothing there. */
const UUIDS = ["allocs", "deployment", "evals", "nodes"];

type Group = ReturnType<StateReader["jobs"]>[number]["TaskGroups"][number];
type Task = Group["Tasks"][number];

const ofGroups = (store: StateReader, of: (group: Group, scope: readonly string[]) => readonly Match[]): readonly Subject[] =>
  store
    .jobs()
    .flatMap((job) =>
      job.TaskGroups.flatMap((group) => of(group, [job.Namespace, job.ID]).map((match) => ({ ...match, namespace: job.Namespace }))),
    );
const ofTasks = (store: StateReader, of: (task: Task) => readonly string[]): readonly Subject[] =>
  ofGroups(store, (group, scope) =>
    group.Tasks.flatMap((task) => of(task).map((ID) => ({ ID, Scope: [...scope, group.Name, task.Name] }))),
  );
const configText = (task: Task, member: string): readonly string[] => {
  const value = task.Config?.[member];
  return typeof value === "string" ? [value] : [];
};

/** Contexts that are searched by any part of a name. */
export const FUZZY_CONTEXTS: Contexts = {
  allocs: (store) => store.allocs().map((a) => subject(a.Namespace, a.Name, a.Namespace, a.ID)),
  classes: (store) => [store.node()].flatMap((node) => (node?.NodeClass ? [subject(null, node.NodeClass, node.ID)] : [])),
  commands: (store) => ofTasks(store, (task) => configText(task, "command")),
  groups: (store) => ofGroups(store, ({ Name }, Scope) => [{ ID: Name, Scope }]),
  images: (store) => ofTasks(store, (task) => configText(task, "image")),
  jobs: (store) => store.jobs().map((job) => subject(job.Namespace, job.Name, job.Namespace, job.ID)),
  namespaces: (store) => store.namespaces().map(({ Name }) => subject(null, Name)),
  nodes: (store) => [store.node()].flatMap((node) => (node ? [subject(null, node.Name, node.ID)] : [])),
  services: (store) =>
    ofGroups(store, (group, scope) => [
      ...(group.Services ?? []).map(({ Name: ID }) => ({ ID, Scope: [...scope, group.Name] })),
      ...group.Tasks.flatMap((task) => (task.Services ?? []).map(({ Name: ID }) => ({ ID, Scope: [...scope, group.Name, task.Name] }))),
    ]),
  tasks: (store) => ofGroups(store, (group, scope) => group.Tasks.map(({ Name: ID }) => ({ ID, Scope: [...scope, group.Name] }))),
};

export interface Found {
  readonly matches: Readonly<Record<string, readonly Match[]>>;
  /** Contexts in which there is more than is told. */
  readonly truncations: Readonly<Record<string, boolean>>;
}

export interface SearchRequest {
  readonly store: StateReader;
  readonly contexts: Contexts;
  /** A context, or `all`. */
  readonly context: string;
  /** `*` is all. */
  readonly namespace: string;
  /** Whether the caller may be told of an object; its namespace is null when it has none. */
  readonly sees: (context: string, namespace: string | null, id: string) => boolean;
  /** How many matches of a context are told. */
  readonly limit: number;
}

/** What begins with a text, in the order of the ids. A UUID may be begun with hyphens or without, in any case. */
export function searchPrefix(prefix: string, request: SearchRequest): Found {
  const plain = prefix.toLowerCase().replaceAll("-", "");
  const isHex = /^[0-9a-f]*$/.test(plain);
  return search(request, (context, { ID }) =>
    UUIDS.includes(context) ? isHex && ID.replaceAll("-", "").startsWith(plain) : ID.startsWith(prefix),
  );
}

/** What has a text anywhere in its name, in any case: those that begin with it first. */
export function searchFuzzy(text: string, request: SearchRequest): Found {
  const wanted = text.toLowerCase();
  const place = ({ ID }: Match): number => ID.toLowerCase().indexOf(wanted);
  return search(
    request,
    (_, match) => place(match) >= 0,
    (a, b) => place(a) - place(b) || a.ID.length - b.ID.length,
  );
}

function search(
  { store, contexts, context, namespace, sees, limit }: SearchRequest,
  fits: (context: string, match: Match) => boolean,
  order: (a: Match, b: Match) => number = () => 0,
): Found {
  const names = context === "all" ? Object.keys(contexts) : [context];
  const matches: Record<string, readonly Match[]> = {};
  const truncations: Record<string, boolean> = {};
  for (const name of names) {
    const found = (contexts[name]?.(store) ?? [])
      .filter((item) => (item.namespace === null || namespace === "*" || item.namespace === namespace) && fits(name, item))
      .filter((item) => sees(name, item.namespace, item.ID))
      .map(({ namespace: _, ...match }): Match => match)
      .sort((a, b) => order(a, b) || (a.ID < b.ID ? -1 : a.ID > b.ID ? 1 : 0));
    truncations[name] = found.length > limit;
    if (found.length > 0) matches[name] = found.slice(0, limit);
  }
  return { matches, truncations };
}
