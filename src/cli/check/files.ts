/** The files that the configuration names: token, CRL, the static mesh, the key of the proxy's own CA. */
import type { Config } from "../../config/config.ts";
import { parseStaticFile } from "../../mesh/static_file/static_file.ts";
import type { Finding, Machine } from "./machine.ts";
import { tokenTimes } from "./token_times.ts";

type Facts = Pick<Machine, "read" | "permissions" | "now" | "uid">;

/** One finding for each file. `needsToken`: istiod or its CA is used. */
export function checkFiles(config: Config, needsToken: boolean, machine: Facts): Finding[] {
  const { tls, ca, xds } = config;
  return [
    ...needsToken ? [tokenFinding(config, machine)] : [],
    ...tls.crlPath === null ? [] : [readable("CRL_PATH", tls.crlPath, machine)],
    ...xds.local?.kind === "file" ? [meshFinding(xds.local.path, machine)] : [],
    ...ca.fake && ca.localFiles !== null ? keyFindings(ca.localFiles.key, machine) : [],
  ];
}

function tokenFinding({ token }: Config, machine: Facts): Finding {
  const subject = "token";
  const problem = (text: string, cure: string): Finding => ({ subject, state: "problem", text, cure });
  if (token === null) {
    return problem(
      "AUTH_TOKEN is not set and ./var/run/secrets/tokens/istio-token does not exist: istiod refuses calls without one",
      "mount a token of the service account for the audience istio-ca there, or set AUTH_TOKEN",
    );
  }
  const file = token.kind === "literal" ? { text: token.token } : machine.read(token.path);
  const name = token.kind === "literal" ? "the value of AUTH_TOKEN" : token.path;
  if ("problem" in file) return problem(`${name}: ${file.problem}`, `it must be readable for user ${machine.uid}`);
  if (file.text.trim() === "") return problem(`${name} is empty`, "mount a token of the service account");
  const { expires } = tokenTimes(file.text);
  if (expires === null) return { subject, state: "ok", text: `${name} can be read` };
  const when = new Date(expires).toISOString();
  if (expires > machine.now()) return { subject, state: "ok", text: `${name} is valid until ${when}` };
  return problem(`${name} has expired at ${when}`, "mount a projected token, which the kubelet renews, or renew it");
}

function readable(subject: string, path: string, machine: Facts): Finding {
  const file = machine.read(path);
  if (!("problem" in file)) return { subject, state: "ok", text: `${path} can be read` };
  const cure = `it must exist and be readable for user ${machine.uid}`;
  return { subject, state: "problem", text: `${path}: ${file.problem}`, cure };
}

function meshFinding(path: string, machine: Facts): Finding {
  const subject = "LOCAL_XDS_PATH";
  const file = machine.read(path);
  if ("problem" in file) return readable(subject, path, machine);
  try {
    const { workloads, services, policies } = parseStaticFile(file.text, path);
    const text = `${path}: ${workloads.length} workloads, ${services.length} services, ${policies.length} policies`;
    return { subject, state: "ok", text };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { subject, state: "problem", text, cure: "docs/spec/config-admin.md, section 2, has the syntax" };
  }
}

/** The key is made at the first start, so it may be missing. */
function keyFindings(path: string, machine: Facts): Finding[] {
  const permissions = machine.permissions(path);
  if (permissions === null) return [];
  const subject = "LOCAL_CA_KEY";
  if ((permissions & 0o077) === 0) return [{ subject, state: "ok", text: `only its owner can read ${path}` }];
  const text = `other users can read ${path} (mode ${permissions.toString(8)}), with which they can issue certificates`;
  return [{ subject, state: "problem", text, cure: `chmod 600 ${path}` }];
}
