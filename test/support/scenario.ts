import { TestAgent, type TestAgentOptions } from "./agent.js";
import { directoriesLeft, expectNothingHeld, holdings } from "./leaks.js";

/** Starts an agent that is ended with the scenario. */
export type StartAgent = (options?: TestAgentOptions) => Promise<TestAgent>;

/**
 * A test with agents of its own. After it every agent's jobs are stopped, the agents end, and nothing may be left: no
 * process, cgroup, mount or directory of theirs, no connection, timer or child of ours. Their logs are shown when it fails.
 *
 * @param seconds how long all of it may take.
 * @param afterwards asserts what else must hold once the agents have ended.
 */
export function scenario(name: string, body: (start: StartAgent) => Promise<void>, seconds = 60, afterwards: () => void = () => {}): void {
  test(
    name,
    async () => {
      const before = holdings();
      const agents: TestAgent[] = [];
      const start: StartAgent = (options) => {
        const agent = new TestAgent(options);
        agents.push(agent);
        return agent.start();
      };
      try {
        await within(seconds, async () => {
          await body(start);
          for (const agent of agents) await agent.close();
          afterwards();
        });
      } catch (error) {
        for (const agent of agents) console.error(`log of the agent in ${agent.root}:\n${agent.log}`);
        throw error;
      } finally {
        for (const agent of agents) await agent.destroy();
      }
      expect(directoriesLeft(agents.map((agent) => agent.root))).toEqual([]);
      await expectNothingHeld(before);
    },
    // Its own deadline comes first, so that what was started is ended then too.
    (seconds + 15) * 1000,
  );
}

async function within(seconds: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not done after ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
