import type { Database } from "better-sqlite3";
import { MAX_TASK_EVENTS } from "../model/task-state.js";
import type { AllocRow, EventRow, StateRows, TaskStateRow } from "./protocol.js";

/** Reads everything that is kept in memory. */
export function loadRows(db: Database): StateRows {
  const all = <Row>(sql: string): readonly Row[] => db.prepare<[], Row>(sql).all();
  const column = (sql: string): readonly string[] => db.prepare<[], string>(sql).pluck().all();
  return {
    meta: all("SELECT key, value FROM meta"),
    jobs: all("SELECT namespace, id, version FROM jobs"),
    jobVersions: all("SELECT namespace, id, body FROM job_versions ORDER BY namespace, id, version DESC"),
    jobCopies: all("SELECT digest, body FROM job_copies"),
    allocs: all<AllocRow>(`
      SELECT a.create_index, a.create_time, a.alloc_modify_index, s.modify_index, s.modify_time, a.job_digest, a.body, s.body AS status
      FROM allocs a JOIN alloc_status s ON s.alloc_id = a.id`),
    taskStates: taskStates(db),
    taskHandles: all("SELECT alloc_id, task, body FROM task_handles"),
    tombstones: column("SELECT alloc_id FROM tombstones ORDER BY seq"),
    evals: all("SELECT create_time, modify_time, body FROM evals"),
    deployments: column("SELECT body FROM deployments"),
    namespaces: column("SELECT body FROM namespaces ORDER BY name"),
    launches: all("SELECT namespace, id, launch FROM periodic_launches"),
    services: column("SELECT body FROM services"),
    node: column("SELECT body FROM node")[0],
    acl: all("SELECT kind, key, body FROM acl"),
    scalingEvents: all("SELECT namespace, id, body FROM scaling_events"),
    schedulerConfig: column("SELECT body FROM scheduler_config")[0],
    variables: all("SELECT create_time, modify_time, body FROM variables"),
  };
}

function taskStates(db: Database): readonly TaskStateRow[] {
  const states = db.prepare<[], Omit<TaskStateRow, "events"> & { readonly events_after: bigint }>(`
    SELECT t.alloc_id, t.task, t.last_restart, t.started_at, t.finished_at, t.body, a.events_after FROM task_states t JOIN allocs a ON a.id = t.alloc_id ORDER BY t.rowid`);
  const latest = db.prepare<[string, string, bigint], EventRow>(`
    SELECT seq, alloc_id, task, run, time, type, body FROM task_events
    WHERE alloc_id = ? AND task = ? AND seq > ? ORDER BY seq DESC LIMIT ${MAX_TASK_EVENTS}`);
  return states.all().map(({ events_after, ...state }) => ({
    ...state,
    events: latest.all(state.alloc_id, state.task, events_after).reverse(),
  }));
}
