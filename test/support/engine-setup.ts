import { tmpdir } from "node:os";
import { join } from "node:path";

/** Before any test: where the engine of the run will be, if a test wants one. */
export default function setUp(): void {
  process.env.TEST_ENGINE_DIR = join(tmpdir(), `allocd-engine-run-${process.pid}`);
}
