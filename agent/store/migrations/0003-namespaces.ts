import type { Migration } from "./migration.js";

/**
 * Namespaces, and how far each periodic job was launched. The jobs of an earlier version may be in any namespace, so
 * each of those becomes one.
 */
export const namespaces: Migration = {
  version: 3,
  name: "namespaces",
  up: `
    CREATE TABLE namespaces (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    INSERT INTO namespaces (name, body)
      SELECT namespace, json_object('Name', namespace, 'Description', '', 'Meta', NULL, 'Quota', '', 'Capabilities', NULL,
        'CreateIndex', 1, 'ModifyIndex', 1)
      FROM jobs WHERE namespace <> 'default' GROUP BY namespace;

    -- The second up to which a periodic job's times were seen to. It goes with the job.
    CREATE TABLE periodic_launches (
      namespace TEXT NOT NULL,
      id TEXT NOT NULL,
      launch INTEGER NOT NULL,
      PRIMARY KEY (namespace, id),
      FOREIGN KEY (namespace, id) REFERENCES jobs (namespace, id) ON DELETE CASCADE
    ) STRICT;
  `,
  down: "Stop the agent; DROP TABLE periodic_launches; DROP TABLE namespaces; DELETE FROM migrations WHERE version = 3; PRAGMA user_version = 2. Jobs stay in their namespaces; periodic jobs are not launched by the earlier version.",
};
