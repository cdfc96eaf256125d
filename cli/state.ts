import { ConfigError } from "../agent/config/config-error.js";
import { loadConfig } from "../agent/config/load.js";

export interface StateFlags {
  readonly config?: string;
  readonly dataDir?: string;
}

const dataDirOf = (flags: StateFlags): string =>
  loadConfig({ file: flags.config, env: process.env, flags: { "--data-dir": flags.dataDir } }).data_dir;

/** `allocd state export FILE`: a running agent is not disturbed. @throws ConfigError that says what is in the way. */
export async function runExport(file: string, flags: StateFlags): Promise<void> {
  const { exportState } = await import("../agent/store/export-state.js");
  const dataDir = dataDirOf(flags);
  const { tables, rows } = await told(() => exportState(dataDir, file));
  process.stdout.write(`${file}: ${rows} rows of ${tables} tables, the state of ${dataDir}\n`);
}

/** `allocd state import FILE`, into an empty data directory. @throws ConfigError that says what is in the way. */
export async function runImport(file: string, flags: StateFlags): Promise<void> {
  const { importState } = await import("../agent/store/import-state.js");
  const dataDir = dataDirOf(flags);
  const { tables, rows } = await told(() => importState(dataDir, file));
  process.stdout.write(`${dataDir}: ${rows} rows of ${tables} tables\n`);
}

/** What is wrong with a file or directory is the operator's to put right. */
async function told<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ConfigError((error as Error).message, { cause: error });
  }
}
