import { type JsonSchema, jsonSchema, settings } from "./settings.js";

/** The files of the repository that are generated from the schema, by their path from its top. */
export function publishedFiles(): Readonly<Record<string, string>> {
  return {
    "config.schema.json": json(jsonSchema()),
    "config.example.json": json({ $schema: "./config.schema.json", ...defaultsOf(jsonSchema()) }),
    "docs/configuration.md": reference(),
  };
}

function defaultsOf(schema: JsonSchema): Record<string, unknown> {
  const entries = Object.entries(schema.properties ?? {}).filter(([key]) => key !== "$schema");
  return Object.fromEntries(entries.map(([key, child]) => [key, child.properties ? defaultsOf(child) : child.default]));
}

function reference(): string {
  const rows = settings().map(({ path, variable, schema }) => {
    const accepted = schema.enum ? ` One of ${schema.enum.join(", ")}.` : "";
    return `| \`${path.join(".")}\` | \`${variable}\` | \`${JSON.stringify(schema.default)}\` | ${schema.description}${accepted} |`;
  });
  return `# Configuration

Generated from \`agent/config/schema.ts\` by \`npm run config\`.

A setting is looked for in this order: the command line (\`--bind\`, \`--port\`, \`--data-dir\`), the environment, the file that
\`--config\` or \`ALLOCD_CONFIG\` names, the default. Lists and objects in a variable are JSON. An unknown setting or a value that
is not accepted ends the agent before it has touched anything.

| setting | variable | default | meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
