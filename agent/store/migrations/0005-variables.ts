import type { Migration } from "./migration.js";

/** Variables, their items encrypted. Times are columns, as a body without a number beyond 2^53 is read ten times as fast. */
export const variables: Migration = {
  version: 5,
  name: "variables",
  up: `
    CREATE TABLE variables (
      namespace TEXT NOT NULL,
      path TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      modify_time INTEGER NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY (namespace, path)
    ) STRICT;`,
  down: "DROP TABLE variables; DELETE FROM meta WHERE key = 'index:vars'; PRAGMA user_version = 4;",
};
