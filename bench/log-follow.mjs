// How long after a task's write a follower of its log sees it: node bench/log-follow.mjs [address] [lines].
// The task writes the time before each line, so the figure has the write itself, the shim, the agent and the way here in it.
const address = process.argv[2] ?? "http://127.0.0.1:4646";
const lines = Number(process.argv[3] ?? 200);

const job = {
  ID: `bench-follow-${process.pid}`,
  Type: "batch",
  Datacenters: ["*"],
  TaskGroups: [
    {
      Name: "g",
      Tasks: [
        {
          Name: "t",
          Driver: "raw_exec",
          Config: {
            command: process.execPath,
            args: ["-e", `let n = 0; setInterval(() => { console.log(Date.now()); if (++n === ${lines}) process.exit(); }, 25)`],
          },
        },
      ],
    },
  ],
};

const ask = async (path, options) => {
  const answer = await fetch(address + path, options);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

await ask("/v1/jobs", { method: "PUT", body: JSON.stringify({ Job: job }) });
let alloc;
do {
  [alloc] = await ask(`/v1/job/${job.ID}/allocations`);
} while (alloc?.ClientStatus !== "running" && alloc?.ClientStatus !== "complete");
const follow = await fetch(`${address}/v1/client/fs/logs/${alloc.ID}?task=t&type=stdout&plain=true&follow=true`);
const delays = [];
let rest = "";
for await (const chunk of follow.body.pipeThrough(new TextDecoderStream())) {
  const whole = (rest + chunk).split("\n");
  rest = whole.pop();
  for (const line of whole) delays.push(Date.now() - Number(line));
  if (delays.length >= lines) break;
}
await ask(`/v1/job/${job.ID}?purge=true`, { method: "DELETE" });
delays.sort((a, b) => a - b);
const at = (share) => delays[Math.min(delays.length - 1, Math.floor(share * delays.length))];
console.log(`log follow, ${delays.length} lines: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (goal: 50 ms)`);
