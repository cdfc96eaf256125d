import { state } from "./0001-state.js";
import { scheduling } from "./0002-scheduling.js";
import { namespaces } from "./0003-namespaces.js";
import { services } from "./0004-services.js";
import { variables } from "./0005-variables.js";
import { acl } from "./0006-acl.js";
import type { Migration } from "./migration.js";

/** All steps, in order. */
export const migrations: readonly Migration[] = [state, scheduling, namespaces, services, variables, acl];
