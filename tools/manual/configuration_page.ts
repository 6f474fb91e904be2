/** `docs/configuration.md`: every environment variable, from the catalogue of the code. */
import { GROUPS, PREFIXES } from "../../src/config/catalogue/settings.ts";
import type { Setting, Syntax } from "../../src/config/catalogue/setting.ts";
import { code, madeFrom, table } from "./markdown.ts";
import { DEVELOPMENT, EXECUTABLE, type OtherVariable } from "./other_variables.ts";

const FIRST_VERSION = "1.0.0";

const SYNTAX: Readonly<Record<Syntax, string>> = {
  bool: "boolean",
  switch: "switch",
  words: "word",
  u16: "number up to 65535",
  u32: "number",
  u64: "number",
  duration: "duration",
  text: "text",
};

const INTRODUCTION = `# Configuration

The proxy is configured by environment variables. They are read once, at the start. A value that cannot be used ends the
start with the name of the variable, the value and what is accepted. \`/config_dump\` of the admin port shows the values in
use.

| syntax | accepts |
| --- | --- |
| boolean | exactly \`true\` or \`false\`. The empty text, \`True\` and \`1\` are errors |
| switch | on for the one value in the table; off for every other value |
| number | decimal digits. Sizes are bytes; there are no suffixes such as \`Mi\` |
| duration | numbers with units, added up: \`90s\`, \`1h30m\`, \`500ms\`. Units: \`y\`, \`mon\`, \`w\`, \`d\`, \`h\`, \`m\`, \`s\`, \`ms\`, \`us\`, \`ns\`. Without a unit: seconds |
| text | the value as it is. The empty text counts as set |

Column "origin": a variable without a note exists in the Rust ztunnel with the same meaning. *SPIRE*: in its branch for
SPIRE. *here*: only in this proxy. Column "since": the first version that has the variable.

`;

export function configurationPage(): string {
  const groups = Object.entries(GROUPS as Readonly<Record<string, Readonly<Record<string, Setting>>>>);
  return [
    madeFrom("`src/config/catalogue/`"),
    INTRODUCTION,
    ...groups.map(([title, settings]) => `## ${title}\n\n${settingsTable(settings)}\n`),
    "## Variables by prefix\n\n",
    table(["begins with", "meaning"], Object.entries(PREFIXES).map(([prefix, text]) => [code(prefix), text])),
    FILES,
    "## The executable\n\nThey are read by the executable that `compile.sh` makes, before the proxy starts.\n\n",
    otherTable(EXECUTABLE),
    "\n## Builds and tests\n\n",
    otherTable(DEVELOPMENT),
  ].join("");
}

const FILES = `
## Files

| file | content |
| --- | --- |
| \`./etc/istio/config/mesh\` | Istio's mesh configuration. \`defaultConfig\` and \`trustDomainAliases\` are used; \`PROXY_CONFIG\` and \`ISTIO_META_*\` take precedence |
| \`/etc/resolv.conf\` | nameservers for names that the mesh does not know. Required |
| \`/etc/hosts\` | names that the proxy itself resolves |

Paths that begin with \`./\` are relative to the working directory, which is \`/\` in an image.

`;

function settingsTable(settings: Readonly<Record<string, Setting>>): string {
  const rows = Object.entries(settings).map(([name, setting]) => [
    code(name),
    acceptedText(setting),
    fallbackText(setting),
    setting.text,
    { spire: "SPIRE", ours: "here", none: "" }[setting.origin ?? "none"],
    setting.since ?? FIRST_VERSION,
  ]);
  return table(["variable", "accepts", "default", "meaning", "origin", "since"], rows);
}

function acceptedText({ syntax, values }: Setting): string {
  if (values === undefined) return SYNTAX[syntax];
  return syntax === "switch" ? `switch: ${values}` : values;
}

function fallbackText({ fallback, unset }: Setting): string {
  return fallback === null || fallback === "" ? unset ?? "" : code(fallback);
}

function otherTable(variables: Readonly<Record<string, OtherVariable>>): string {
  return table(
    ["variable", "default", "meaning"],
    Object.entries(variables).map(([name, { fallback, text }]) => [code(name), fallback, text]),
  );
}
