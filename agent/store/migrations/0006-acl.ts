import type { Migration } from "./migration.js";

/** Access control: policies, roles and tokens, whose secrets are hashes. */
export const acl: Migration = {
  version: 6,
  name: "acl",
  up: `
    -- kind is policy, role, token or bootstrap; key is the name, the id, the accessor or empty.
    CREATE TABLE acl (kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
  `,
  down: "DROP TABLE acl; DELETE FROM meta WHERE key = 'index:acl'; PRAGMA user_version = 5; All tokens are gone then: bootstrap access control anew.",
};
