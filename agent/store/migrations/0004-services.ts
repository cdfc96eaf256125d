import type { Migration } from "./migration.js";

/** Instances of services: kept, so that whoever asks an agent that was just replaced finds what still runs. */
export const services: Migration = {
  version: 4,
  name: "services",
  up: "CREATE TABLE services (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;",
  down: "DROP TABLE services; DELETE FROM meta WHERE key = 'index:services'; PRAGMA user_version = 3;",
};
