import { SystemClock } from "../clock.js";
import { jobFromApi } from "../model/job-intake.js";
import { Compiled } from "../store/testing/compiled.js";
import { HclReader } from "./hcl-reader.js";

let compiled: Compiled;
let reader: HclReader;

beforeAll(() => {
  compiled = new Compiled();
  reader = new HclReader(new SystemClock(), compiled.url("agent/hcl/worker.ts"));
});
afterAll(async () => {
  await reader.close();
  compiled.remove();
});

const refusal = (hcl: string, variables = ""): Promise<string> =>
  reader.parse(hcl, variables).then(JSON.stringify, (error: Error) => error.message);

const web = `
variable "image" {
  type    = string
  default = "redis:7"
}
variable "count" {
  type = number
}
locals {
  name = "web-\${var.image}"
  tags = ["a", upper("b"), local.name]
}
job "web" {
  datacenters = ["dc1", var.image]
  type        = "service"
  priority    = var.count > 2 ? 70 : 50
  meta {
    owner = "me"
    count = var.count
  }
  constraint {
    attribute = "\${attr.kernel.name}"
    value     = "linux"
  }
  constraint {
    distinct_hosts = true
  }
  update {
    max_parallel     = 2
    min_healthy_time = "5s"
    canary           = 1
  }
  group "g" {
    count = var.count + 1
    network {
      mode = "host"
      port "http" {
        to = 8080
      }
      port "db" {
        static = 5432
      }
    }
    restart {
      attempts = 3
      interval = "1m30s"
      delay    = "5s"
      mode     = "delay"
    }
    volume "data" {
      type   = "host"
      source = "disk"
    }
    task "t" {
      driver       = "docker"
      kill_timeout = "30s"
      leader       = true
      config {
        image  = var.image
        args   = ["-c", "echo \${NOMAD_TASK_NAME} $\${literal} \${env["HOME"]}"]
        ports  = ["http"]
        labels = { a = "b" }
        mount {
          type = "bind"
        }
      }
      env {
        TAGS = join(",", local.tags)
        ON   = true
      }
      template {
        data        = <<EOT
{{ range nomadService "x" }}\${NOMAD_ADDR_http}{{ end }}
EOT
        destination = "local/x"
        change_mode = "noop"
      }
      service {
        name = "web"
        port = "http"
        check {
          type     = "http"
          path     = "/"
          interval = "10s"
          timeout  = "2s"
        }
      }
      resources {
        cpu    = 200
        memory = 64
      }
    }
  }
}
`;

test("a specification becomes the job in the words of the API, its expressions worked out", async () => {
  const job = await reader.parse(web, "count = 2");
  expect(job).toEqual({
    ID: "web",
    Name: "web",
    Datacenters: ["dc1", "redis:7"],
    Type: "service",
    Priority: 50,
    Meta: { owner: "me", count: "2" },
    Constraints: [{ LTarget: "${attr.kernel.name}", RTarget: "linux" }, { Operand: "distinct_hosts" }],
    Update: { MaxParallel: 2, MinHealthyTime: 5e9, Canary: 1 },
    TaskGroups: [
      {
        Name: "g",
        Count: 3,
        Networks: [
          {
            Mode: "host",
            ReservedPorts: [{ Label: "db", Value: 5432 }],
            DynamicPorts: [{ Label: "http", To: 8080 }],
          },
        ],
        RestartPolicy: { Attempts: 3, Interval: 90e9, Delay: 5e9, Mode: "delay" },
        Volumes: { data: { Name: "data", Type: "host", Source: "disk" } },
        Tasks: [
          {
            Name: "t",
            Driver: "docker",
            KillTimeout: 30e9,
            Leader: true,
            Config: {
              image: "redis:7",
              args: ["-c", 'echo ${NOMAD_TASK_NAME} ${literal} ${env["HOME"]}'],
              ports: ["http"],
              labels: { a: "b" },
              mount: [{ type: "bind" }],
            },
            Env: { TAGS: "a,B,web-redis:7", ON: "true" },
            Templates: [
              {
                EmbeddedTmpl: '{{ range nomadService "x" }}${NOMAD_ADDR_http}{{ end }}\n',
                DestPath: "local/x",
                ChangeMode: "noop",
              },
            ],
            Services: [
              {
                Name: "web",
                PortLabel: "http",
                Checks: [{ Type: "http", Path: "/", Interval: 10e9, Timeout: 2e9 }],
              },
            ],
            Resources: { CPU: 200, MemoryMB: 64 },
          },
        ],
      },
    ],
  });
  expect(jobFromApi(job)).toMatchObject({ ID: "web", Update: { MaxParallel: 2 } });
});

const inJob = (text: string): string => `job "x" {\n${text}\n}`;

test.each([
  ["an error of the syntax names the line", 'job "x" {\n a = \n}', /^job\.hcl:2,6-3,1: Invalid expression/],
  ["a block without an end", 'job "x" {', /^job\.hcl:1,9-10: Unclosed configuration block/],
  ["no job", "locals {\n a = 1\n}", /^job: got/],
  ["two jobs", 'job "a" {\n}\njob "b" {\n}', /^job: got 2, want exactly one/],
  ["the same job twice", 'job "a" {\n}\njob "a" {\n}', /^job\["a"\]: got 2 blocks, want one/],
  ["a strange block", 'server "x" {\n}\njob "a" {\n}', /^server: want one of job, variable, variables, locals/],
  ["a misspelt word", inJob('group "g" {\n cont = 1\n}'), /^job\["x"\]\.group\["g"\]: got "cont", want "count"/],
  ["a block that is not supported", inJob("multiregion {\n}"), /^job\["x"\]: got "multiregion", want a word that is supported here/],
  ["a wrong duration", inJob('update {\n stagger = "soon"\n}'), /^job\["x"\]\.update\.stagger: got "soon", want a duration such as "30s"/],
  ["a text for a number", inJob('priority = "high"'), /^job\["x"\]\.priority: got "high", want a number/],
  ["a function that is not supported", inJob('name = file("/etc/passwd")'), /^job\["x"\]\.name: function "file" is not supported/],
  ["a variable that there is not", inJob("name = var.nope"), /^job\["x"\]\.name: there is no variable "nope"/],
  ["a local that is made of itself", `locals {\n a = local.b\n b = local.a\n}\n${inJob("name = local.a")}`, /local "a" is made of itself/],
  ["a variable without a value", `variable "v" {\n}\n${inJob("name = var.v")}`, /variable "v" has no value and no default/],
  ["a default that refers", `variable "v" {\n default = local.a\n}\n${inJob("name = var.v")}`, /default can not refer|not known before/],
  ["for expressions", inJob("datacenters = [for x in [1] : x]"), /for expressions are not supported/],
  ["what is known only later, in a calculation", inJob("name = upper(attr.x)"), /attr is not known before the task runs/],
  [
    "a loop in a text",
    inJob('name = "%{ for x in [1] }a%{ endfor }"'),
    /of directives only %\{ if \}, %\{ else \} and %\{ endif \} are supported/,
  ],
  ["division by zero", inJob("priority = 1 / 0"), /division by zero/],
])("%s is refused", async (_, hcl, text) => {
  expect(await refusal(hcl)).toMatch(text);
});

test("a value for a variable that there is not is refused", async () => {
  expect(await refusal(inJob(""), 'a = "b"')).toMatch(/^variable "a" has a value, but the specification has no such variable/);
});

test("types of variables are kept to", async () => {
  const of = (type: string) => `variable "v" {\n type = ${type}\n}\n${inJob("meta {\n v = var.v\n}")}`;
  expect(await refusal(of("number"), 'v = "x"')).toMatch(/^variable\["v"\]: want a number, got "x"/);
  expect(await refusal(of("bool"), "v = 5")).toMatch(/^variable\["v"\]: want true or false, got 5/);
  expect(await reader.parse(of("string"), "v = 5")).toMatchObject({ Meta: { v: "5" } });
});

test.each([
  ["1 + 2 * 3", "7"],
  ["(1 + 2) * 3", "9"],
  ["-2 + 5", "3"],
  ["7 % 4", "3"],
  ['!true ? "a" : "b"', "b"],
  ["1 < 2 && 2 <= 2 || false", "true"],
  ['"a" == "a" && "a" != "b"', "true"],
  ['{ a = { b = [5, 6] } }["a"].b[1]', "6"],
  ['format("%s-%03d%%", "a", 7)', "a-007%"],
  ['replace("a.b.c", ".", "$")', "a$b$c"],
  ['join("/", split(".", "a.b"))', "a/b"],
  ['lookup({ a = "x" }, "b", "none")', "none"],
  ['element(["a", "b"], 3)', "b"],
  ["length(concat([1], [2, 3]))", "3"],
  ['coalesce("", "b")', "b"],
  ['trimprefix("v1", "v")', "1"],
  ['substr("hello", 1, 3)', "ell"],
  ["jsonencode({ a = [1, true, null] })", '{"a":[1,true,null]}'],
  ['"a${"b" == "b" ? "${upper("c")}d" : ""}"', "aCd"],
  ['"%{ if 1 < 2 }yes%{ else }no%{ endif }, %{ if false }never%{ endif }."', "yes, ."],
  ['contains(["a"], "a")', "true"],
  ["max(3, 9, 4) - min(1, 2) + floor(1.9)", "9"],
  ['"tab\\tquote\\"u\\u0041"', 'tab\tquote"uA'],
])("%s is %s", async (expression, expected) => {
  expect(await reader.parse(inJob(`meta {\n v = ${expression}\n}`), "")).toMatchObject({ Meta: { v: expected } });
});

test("a periodic and a parameterized block", async () => {
  const periodic = inJob('type = "batch"\nperiodic {\n crons = ["*/5 * * * *"]\n time_zone = "Europe/Berlin"\n prohibit_overlap = true\n}');
  expect(await reader.parse(periodic, "")).toMatchObject({
    Periodic: { Specs: ["*/5 * * * *"], TimeZone: "Europe/Berlin", ProhibitOverlap: true },
  });
  const parameterized = inJob('parameterized {\n payload = "required"\n meta_required = ["a"]\n}');
  expect(await reader.parse(parameterized, "")).toMatchObject({ ParameterizedJob: { Payload: "required", MetaRequired: ["a"] } });
});

test("what is too large is refused, and what is nested without end", async () => {
  expect(await refusal(inJob(`name = "${"x".repeat(1 << 20)}"`))).toMatch(/^job\.hcl: want at most 1048576 bytes/);
  expect(await refusal(inJob(`priority = ${"(".repeat(500)}1${")".repeat(500)}`))).toMatch(/nested more than 64 levels deep|Invalid/);
});

test("after its thread has ended it reads on with another one", async () => {
  await reader.close();
  expect(await reader.parse(inJob(""), "")).toEqual({ ID: "x", Name: "x" });
});
