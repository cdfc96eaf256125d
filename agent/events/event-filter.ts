import { InvalidField } from "../model/invalid-field.js";
import { type StreamEvent, TOPICS } from "./event.js";

/** Topics of the reference that nothing on one host ever tells anything of: they may be asked for. */
const SILENT = [
  "ACLAuthMethod",
  "ACLBindingRule",
  "ACLPolicy",
  "ACLRole",
  "ACLToken",
  "CSIPlugin",
  "CSIVolume",
  "HostVolume",
  "NodePool",
  "Operator",
];
const EVERYTHING = "*";

/** What a subscriber wants to hear. */
export class EventFilter {
  /** Keys by topic. */
  readonly #topics = new Map<string, Set<string>>();
  readonly #namespace: string;
  readonly #mayHear: (event: StreamEvent) => boolean;

  /**
   * @param topics such as `Job`, `Job:web`, `Allocation:*` or `*`; none is all.
   * @param namespace `*` is all.
   * @param mayHear whether the subscriber may be told.
   * @throws InvalidField for a topic that is not known.
   */
  constructor(topics: readonly string[], namespace: string, mayHear: (event: StreamEvent) => boolean = () => true) {
    this.#namespace = namespace;
    this.#mayHear = mayHear;
    for (const text of topics.length > 0 ? topics : [EVERYTHING]) {
      const colon = text.indexOf(":");
      const topic = colon < 0 ? text : text.slice(0, colon);
      const key = colon < 0 ? EVERYTHING : text.slice(colon + 1);
      const known: readonly string[] = [...TOPICS, ...SILENT, EVERYTHING];
      if (!known.includes(topic))
        throw new InvalidField("topic", text, `one of ${TOPICS.join(", ")}, *, with a key such as Job:web or without`);
      if (key === "") throw new InvalidField("topic", text, "a key behind the colon, or no colon");
      const keys = this.#topics.get(topic) ?? new Set();
      this.#topics.set(topic, keys.add(key));
    }
  }

  wants(event: StreamEvent): boolean {
    if (event.Namespace !== "" && this.#namespace !== EVERYTHING && event.Namespace !== this.#namespace) return false;
    const isAsked = this.#fits(this.#topics.get(EVERYTHING), event) || this.#fits(this.#topics.get(event.Topic), event);
    return isAsked && this.#mayHear(event);
  }

  #fits(keys: ReadonlySet<string> | undefined, event: StreamEvent): boolean {
    if (!keys) return false;
    return keys.has(EVERYTHING) || keys.has(event.Key) || event.FilterKeys.some((key) => keys.has(key));
  }
}
