import { state } from "./0001-state.js";
import { acl } from "./0002-acl.js";
import type { Migration } from "./migration.js";

/** All steps, in order. */
export const migrations: readonly Migration[] = [state, acl];
