import type { StreamEvent } from "../../agent/events/event.js";
import { EventFilter } from "../../agent/events/event-filter.js";
import type { Caller } from "../acl/caller.js";
import type { EventSource } from "../deps.js";
import { sendEvents } from "../event-stream.js";
import type { Call, Route } from "../route.js";

export const eventsRoutes = ({ events }: { readonly events: EventSource }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/event/stream",
    access: ["list:read-job", "node:read"],
    handler: ({ query, caller, visible }) => {
      const filter = new EventFilter(query.topics, query.namespace, (event) => mayHear(event, caller, visible));
      const index = query.minIndex;
      return { kind: "stream", send: (response, gone) => sendEvents(response, events.subscribe(filter, index, gone), gone) };
    },
  },
];

/** A caller that is none any more hears nothing; its stream is about to be ended. */
function mayHear({ Namespace }: StreamEvent, caller: Caller, visible: Call["visible"]): boolean {
  try {
    return Namespace === "" ? caller.acl.allowsLevel("node", "read") : visible()(Namespace);
  } catch {
    return false;
  }
}
