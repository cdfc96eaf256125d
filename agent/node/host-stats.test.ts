import { tmpdir } from "node:os";
import { SystemClock } from "../clock.js";
import { HostStatsReader } from "./host-stats.js";

test("what the host uses adds up", async () => {
  const stats = await new HostStatsReader({ clock: new SystemClock(), dataDir: tmpdir() }).read();
  expect(stats.CPU.length).toBeGreaterThan(0);
  for (const cpu of stats.CPU) expect(cpu.TotalPercent + cpu.Idle).toBeCloseTo(100, 5);
  const { Memory, AllocDirStats } = stats;
  expect(Memory.Used + Memory.Available).toBe(Memory.Total);
  expect(AllocDirStats.Used).toBeLessThanOrEqual(AllocDirStats.Size);
  expect(stats.Uptime).toBeGreaterThan(0);
});
