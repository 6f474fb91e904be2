/** `ztunnel check`: reads the configuration as a start would, and checks what it needs of this machine. */
import { authorityKind } from "../../control/certificates/make_authority.ts";
import type { Config } from "../../config/config.ts";
import type { Variables } from "../../config/environment.ts";
import { ConfigError } from "../../config/error.ts";
import type { ConfigFiles } from "../../config/files.ts";
import { MESH_FILE } from "../../config/default_paths.ts";
import { misspellings } from "../../config/misspellings.ts";
import { parseConfig } from "../../config/parse_config.ts";
import { startFilter } from "../../telemetry/log_levels.ts";
import { checkCapabilities } from "./capabilities.ts";
import { checkDescriptors } from "./descriptors.ts";
import { checkFiles } from "./files.ts";
import type { Finding, Machine } from "./machine.ts";
import { checkPorts } from "./ports.ts";
import { checkReach } from "./reach.ts";
import { checkRoots } from "./roots.ts";
import { type EffectiveSetting, effectiveSettings } from "./settings_table.ts";
import { checkSockets } from "./sockets.ts";

const RUST_LOG = "write level or target=level, separated by commas: info,access=off";

/** The inputs of the configuration. */
interface Surroundings {
  readonly variables: Variables;
  readonly files: ConfigFiles;
  readonly cpus: number;
}

/** The result of a check. */
export interface Report {
  readonly settings: readonly EffectiveSetting[];
  readonly checks: readonly Finding[];
}

/** Does not reject: what fails is a finding. Contacts istiod and its CA, for some seconds at most. */
export async function runChecks({ variables, files, cpus }: Surroundings, machine: Machine): Promise<Report> {
  const parsed = parse(() => parseConfig(variables, files, cpus));
  const config = "config" in parsed ? parsed.config : null;
  return {
    settings: effectiveSettings({ variables, config, meshFile: textOf(files) }),
    checks: [
      ...("config" in parsed ? configFindings(parsed.config) : [parsed.finding]),
      ...misspellings(variables).map(misspelt),
      checkDescriptors(machine),
      ...config === null ? [] : await checkMachine(config, machine),
    ],
  };
}

async function checkMachine(config: Config, machine: Machine): Promise<Finding[]> {
  const usesCa = authorityKind(config) === "istio";
  const usesXds = config.xds.address !== null;
  const isSecured = (address: string | null) => address?.startsWith("https:") ?? false;
  const roots = checkRoots(
    [
      ...isSecured(config.xds.address) ? [{ setting: "XDS_ROOT_CA", roots: config.xds.roots }] : [],
      ...usesCa && isSecured(config.ca.address) ? [{ setting: "CA_ROOT_CA", roots: config.ca.roots }] : [],
    ],
    config,
    machine,
  );
  const library = machine.tlsLibrary(config);
  return [
    ...checkCapabilities(config, machine),
    ...checkPorts(config, machine),
    ...await checkSockets(config, machine),
    ...checkFiles(config, usesCa || (usesXds && isSecured(config.xds.address)), machine),
    "version" in library ? { subject: "TLS library", state: "ok", text: library.version } : {
      subject: "TLS library",
      state: "problem",
      text: library.problem,
      cure: "see TLS_LIBRARY in docs/configuration.md",
    },
    ...roots.findings,
    ...await checkReach(config, { usesCa, unusableRoots: roots.unusable }, machine),
  ];
}

function parse(read: () => Config): { readonly config: Config } | { readonly finding: Finding } {
  try {
    return { config: read() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const cure = "docs/configuration.md says what each setting accepts; nothing else could be checked";
    return { finding: { subject: "configuration", state: "problem", text: error.message, cure } };
  }
}

/** Warnings of a start. Those about misspellings are problems of their own. */
function configFindings({ mode, warnings, log }: Config): Finding[] {
  const filter = startFilter(log.filter);
  const notes = warnings.filter((text) => !text.startsWith("environment variables without effect"));
  return [
    { subject: "configuration", state: "ok", text: `it can be used, PROXY_MODE=${mode}` },
    ...typeof filter === "string"
      ? [{ subject: "RUST_LOG", state: "problem", text: filter, cure: RUST_LOG } as const]
      : [],
    ...notes.map((text) => ({ subject: "configuration", state: "note", text }) as const),
  ];
}

function misspelt({ text }: { readonly text: string }): Finding {
  return { subject: "variable", state: "problem", text: `${text} has no effect`, cure: "correct it or unset it" };
}

/** An unreadable file is reported by the configuration. */
function textOf(files: ConfigFiles): string | null {
  try {
    return files.read(MESH_FILE);
  } catch {
    return null;
  }
}
