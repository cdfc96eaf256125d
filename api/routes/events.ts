import { EventFilter } from "../../agent/events/event-filter.js";
import type { EventSource } from "../deps.js";
import { sendEvents } from "../event-stream.js";
import type { Route } from "../route.js";

export const eventsRoutes = ({ events }: { readonly events: EventSource }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/event/stream",
    handler: ({ query }) => {
      const filter = new EventFilter(query.topics, query.namespace);
      const index = query.minIndex;
      return { kind: "stream", send: (response, gone) => sendEvents(response, events.subscribe(filter, index, gone), gone) };
    },
  },
];
