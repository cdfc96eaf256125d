import { state } from "./0001-state.js";
import { namespaces } from "./0002-namespaces.js";
import { variables } from "./0003-variables.js";
import type { Migration } from "./migration.js";

/** All steps, in order. */
export const migrations: readonly Migration[] = [state, namespaces, variables];
