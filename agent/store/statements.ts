/**
 * Every statement that a commit consists of, by name. The agent's thread sends names and values, the store's thread has
 * them prepared.
 */
export const statements = {
  putMeta: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",

  putJob: "INSERT INTO jobs (namespace, id, version) VALUES (?, ?, ?) ON CONFLICT (namespace, id) DO UPDATE SET version = excluded.version",
  dropJob: "DELETE FROM jobs WHERE namespace = ? AND id = ?",
  putJobVersion: `INSERT INTO job_versions (namespace, id, version, body) VALUES (?, ?, ?, ?)
    ON CONFLICT (namespace, id, version) DO UPDATE SET body = excluded.body`,
  dropJobVersion: "DELETE FROM job_versions WHERE namespace = ? AND id = ? AND version = ?",
  putPeriodicLaunch: `INSERT INTO periodic_launches (namespace, id, launch) VALUES (?, ?, ?)
    ON CONFLICT (namespace, id) DO UPDATE SET launch = excluded.launch`,
  putNamespace: "INSERT INTO namespaces (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
  dropNamespace: "DELETE FROM namespaces WHERE name = ?",
  putJobCopy: "INSERT INTO job_copies (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
  dropUnusedJobCopy: "DELETE FROM job_copies WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM allocs WHERE job_digest = job_copies.digest)",

  putAlloc: `INSERT INTO allocs (id, create_index, create_time, alloc_modify_index, job_digest, body, events_after)
    VALUES (?, ?, ?, ?, ?, ?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'task_events'), 0))
    ON CONFLICT (id) DO UPDATE SET alloc_modify_index = excluded.alloc_modify_index, job_digest = excluded.job_digest, body = excluded.body`,
  dropAlloc: "DELETE FROM allocs WHERE id = ?",
  putAllocStatus: `INSERT INTO alloc_status (alloc_id, modify_index, modify_time, body) VALUES (?, ?, ?, ?)
    ON CONFLICT (alloc_id) DO UPDATE SET modify_index = excluded.modify_index, modify_time = excluded.modify_time, body = excluded.body`,
  putTaskState: `INSERT INTO task_states (alloc_id, task, last_restart, started_at, finished_at, body) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (alloc_id, task) DO UPDATE SET last_restart = excluded.last_restart, started_at = excluded.started_at,
      finished_at = excluded.finished_at, body = excluded.body`,
  addTaskEvent: "INSERT INTO task_events (alloc_id, task, run, time, type, body) VALUES (?, ?, ?, ?, ?, ?)",
  putTaskHandle:
    "INSERT INTO task_handles (alloc_id, task, body) VALUES (?, ?, ?) ON CONFLICT (alloc_id, task) DO UPDATE SET body = excluded.body",
  dropTaskHandle: "DELETE FROM task_handles WHERE alloc_id = ? AND task = ?",
  putTombstone: "INSERT INTO tombstones (alloc_id) VALUES (?)",
  dropTombstone: "DELETE FROM tombstones WHERE alloc_id = ?",

  putEval: `INSERT INTO evals (id, create_time, modify_time, body) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET create_time = excluded.create_time, modify_time = excluded.modify_time, body = excluded.body`,
  dropEval: "DELETE FROM evals WHERE id = ?",
  putDeployment: "INSERT INTO deployments (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
  dropDeployment: "DELETE FROM deployments WHERE id = ?",
  putAcl: "INSERT INTO acl (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
  dropAcl: "DELETE FROM acl WHERE kind = ? AND key = ?",
  putScalingEvents: `INSERT INTO scaling_events (namespace, id, body) VALUES (?, ?, ?)
    ON CONFLICT (namespace, id) DO UPDATE SET body = excluded.body`,
  putSchedulerConfig: "INSERT INTO scheduler_config (one, body) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET body = excluded.body",
  putService: "INSERT INTO services (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
  dropService: "DELETE FROM services WHERE id = ?",
  putVariable: `INSERT INTO variables (namespace, path, create_time, modify_time, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (namespace, path) DO UPDATE SET create_time = excluded.create_time, modify_time = excluded.modify_time, body = excluded.body`,
  dropVariable: "DELETE FROM variables WHERE namespace = ? AND path = ?",
  putNode: "INSERT INTO node (one, body) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET body = excluded.body",
} as const;

export type StatementName = keyof typeof statements;
export type SqlValue = string | number | bigint | null;
/** One statement with its values. */
export type Operation = readonly [StatementName, ...SqlValue[]];
