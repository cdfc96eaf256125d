import type { Migration } from "./migration.js";

/**
 * Bodies are JSON, of which the members that SQL has to see are columns, and the times of rows that there are many of: a
 * body without a number beyond 2^53 is read and written ten times as fast. What changes often is apart from what does
 * not: a task's transition rewrites its own row and that of its allocation's status.
 */
export const state: Migration = {
  version: 1,
  name: "state",
  up: `
    -- 'index', 'index:<table>', 'clean' (1 after an orderly close)
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE jobs (
      namespace TEXT NOT NULL,
      id TEXT NOT NULL,
      version INTEGER NOT NULL,
      PRIMARY KEY (namespace, id)
    ) STRICT;
    CREATE TABLE job_versions (
      namespace TEXT NOT NULL,
      id TEXT NOT NULL,
      version INTEGER NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY (namespace, id, version),
      FOREIGN KEY (namespace, id) REFERENCES jobs (namespace, id) ON DELETE CASCADE
    ) STRICT;

    -- The Job inside an allocation, once for all that carry the same. The digest is SHA-256 of the body.
    CREATE TABLE job_copies (digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

    CREATE TABLE allocs (
      id TEXT PRIMARY KEY,
      create_index INTEGER NOT NULL,
      create_time INTEGER NOT NULL,
      alloc_modify_index INTEGER NOT NULL,
      job_digest TEXT NOT NULL REFERENCES job_copies (digest),
      -- Rows of task_events up to this one belong to an earlier allocation of the same id.
      events_after INTEGER NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX allocs_by_job_digest ON allocs (job_digest);
    CREATE TABLE alloc_status (
      alloc_id TEXT PRIMARY KEY REFERENCES allocs (id) ON DELETE CASCADE,
      modify_index INTEGER NOT NULL,
      modify_time INTEGER NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE task_states (
      alloc_id TEXT NOT NULL REFERENCES allocs (id) ON DELETE CASCADE,
      task TEXT NOT NULL,
      last_restart INTEGER,
      started_at INTEGER,
      finished_at INTEGER,
      body TEXT NOT NULL,
      PRIMARY KEY (alloc_id, task)
    ) STRICT;
    CREATE TABLE task_handles (
      alloc_id TEXT NOT NULL REFERENCES allocs (id) ON DELETE CASCADE,
      task TEXT NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY (alloc_id, task)
    ) STRICT;

    -- The complete history. It outlives its allocations, until the limits on rows.
    CREATE TABLE task_events (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      alloc_id TEXT NOT NULL,
      task TEXT NOT NULL,
      run INTEGER NOT NULL,
      time INTEGER NOT NULL,
      type TEXT NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX task_events_by_alloc ON task_events (alloc_id);
    CREATE INDEX task_events_by_task ON task_events (alloc_id, task);

    CREATE TABLE tombstones (seq INTEGER PRIMARY KEY AUTOINCREMENT, alloc_id TEXT NOT NULL UNIQUE) STRICT;

    CREATE TABLE evals (
      id TEXT PRIMARY KEY,
      create_time INTEGER NOT NULL,
      modify_time INTEGER NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE deployments (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE node (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;
  `,
  down: "There is nothing before this step: stop the agent and move state.db, state.db-wal and state.db-shm away. Tasks that run are found by the agent's records on the host.",
};
