import { existsSync } from "node:fs";
import { rotatedFiles } from "../agent/audit/audit-log.js";
import { BrokenChain, verifyChain } from "../agent/audit/verify.js";

const DEFAULT_PATH = "/var/lib/allocd/audit/audit.log";

/** `allocd audit verify`: exit code 1 when the chain is broken. @param given files, oldest first; none is the packaged agent's. */
export async function runAuditVerify(given: readonly string[]): Promise<void> {
  const files = given.length > 0 ? given : [...(existsSync(DEFAULT_PATH) ? rotatedFiles(DEFAULT_PATH) : []), DEFAULT_PATH];
  process.exitCode = 1;
  try {
    const { lines, first, last } = await verifyChain(files);
    process.stdout.write(
      lines === 0 ? "no lines\n" : `${lines} lines, ${first} to ${last.seq}, are one unbroken chain; the last one's hash is ${last.hash}\n`,
    );
    process.exitCode = 0;
  } catch (error) {
    if (error instanceof BrokenChain) throw new Error(`the chain is broken: ${error.message}`);
    throw error;
  }
}
