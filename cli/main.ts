import { readFileSync } from "node:fs";
import { Command } from "commander";
import { ConfigError } from "../agent/config/config-error.js";
import { type AgentFlags, runAgent } from "./agent.js";
import { runAuditVerify } from "./audit.js";
import { type ExecFlags, runExec } from "./exec.js";
import { runExport, runImport, type StateFlags } from "./state.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };

const program = new Command("allocd")
  .description("The agent of one worker host.")
  .version(version)
  .showHelpAfterError()
  .enablePositionalOptions();

program
  .command("agent")
  .description("run the agent in the foreground; SIGTERM ends it and leaves the tasks running")
  .option("--config <file>", "configuration file")
  .option("--bind <address>", "address that the HTTP API listens on")
  .option("--port <number>", "port of the HTTP API")
  .option("--data-dir <directory>", "where state and allocations are kept")
  .action((flags: AgentFlags) => runAgent(flags, version));

program
  .command("exec")
  .description("run a command beside a task; a terminal is used when there is one")
  .argument("<allocation>", "the allocation's id, or its first digits")
  .argument("<command...>", "the command and its arguments")
  .option("--address <url>", "the agent's address; unix:///path is a local socket", process.env.ALLOCD_ADDR ?? "http://127.0.0.1:4646")
  .option("--token <secret>", "ACL token; better in ALLOCD_TOKEN or NOMAD_TOKEN, where other users do not see it")
  .option("--token-file <file>", "file with the ACL token; also ALLOCD_TOKEN_FILE")
  .option("--task <name>", "the task; may be left out when there is only one")
  .option("-T, --no-tty", "plain pipes, even on a terminal")
  .passThroughOptions()
  .action((allocation: string, command: string[], flags: ExecFlags) => runExec(allocation, command, flags));

const state = program.command("state").description("move the state of a host");
state
  .command("export")
  .description("write allocations, jobs, history and all else that is stored to a file; the agent may run")
  .argument("<file>", "the file to write; it holds secrets and is made readable for its owner only")
  .option("--config <file>", "configuration file")
  .option("--data-dir <directory>", "where state and allocations are kept")
  .action((file: string, flags: StateFlags) => runExport(file, flags));
state
  .command("import")
  .description("make the state of a file that was exported; only in an empty data directory")
  .argument("<file>", "the file to read")
  .option("--config <file>", "configuration file")
  .option("--data-dir <directory>", "where state and allocations are kept")
  .action((file: string, flags: StateFlags) => runImport(file, flags));
program
  .command("audit")
  .description("work with the audit log")
  .command("verify")
  .description("check that files are one unbroken chain")
  .argument("[file...]", "files, oldest first")
  .action(runAuditVerify);

try {
  await program.parseAsync();
} catch (error) {
  // What a user can put right is one line; a defect shows where it is.
  process.stderr.write(
    `allocd: ${error instanceof ConfigError || process.exitCode !== undefined ? (error as Error).message : (error as Error).stack}\n`,
  );
  process.exitCode ??= 1;
}
