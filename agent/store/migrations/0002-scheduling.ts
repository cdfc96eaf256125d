import type { Migration } from "./migration.js";

/** What operators say about scheduling, and who scaled which job. */
export const scheduling: Migration = {
  version: 2,
  name: "scheduling",
  up: `
    CREATE TABLE scaling_events (
      namespace TEXT NOT NULL,
      id TEXT NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY (namespace, id),
      FOREIGN KEY (namespace, id) REFERENCES jobs (namespace, id) ON DELETE CASCADE
    ) STRICT;
    CREATE TABLE scheduler_config (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;
  `,
  down: "DROP TABLE scaling_events; DROP TABLE scheduler_config; DELETE FROM migrations WHERE version = 2; PRAGMA user_version = 1; Counts stay as they are; the scheduler's configuration is the default again.",
};
