import type { Logger as PinoLogger } from "pino";

/** The logger that is handed down; children bind `allocId`, `task` and `session`. */
export type Logger = PinoLogger;
