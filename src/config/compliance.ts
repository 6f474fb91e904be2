/**
 * Warnings about connections that `COMPLIANCE_POLICY` does not cover. It covers the mesh, where the operator chooses the
 * TLS library. Connections to the control plane use the TLS of the runtime, whose groups and module cannot be chosen
 * (`docs/spec/identity-spire.md` 6.1).
 */
import type { Config } from "./config.ts";
import type { Environment } from "./environment.ts";

const POLICIES = ["pqc", "fips-140-2", "fips-140-3"];

/** Texts for operators, logged as warnings at the start. */
export function complianceWarnings(environment: Environment, config: Omit<Config, "warnings">): string[] {
  const policy = environment.text("COMPLIANCE_POLICY");
  if (policy === "") return [];
  if (!POLICIES.includes(policy)) {
    return [`COMPLIANCE_POLICY=${policy} is not known, so it is ignored; known are ${POLICIES.join(", ")}`];
  }
  return runtimeConnections(config).map((connection) =>
    `COMPLIANCE_POLICY=${policy} does not hold for ${connection}: ` +
    limitOf(config)
  );
}

function limitOf({ tls }: Pick<Config, "tls">): string {
  return tls.postQuantumOnly
    ? "the runtime's TLS offers X25519MLKEM768 and other groups; the server must insist on it"
    : "the runtime's TLS and keys are made by no FIPS module";
}

/** Connections in TLS, and the setting of each. */
function runtimeConnections({ xds, ca, spire }: Pick<Config, "xds" | "ca" | "spire">): string[] {
  const istioCa = !ca.fake && !spire.enabled && spire.broker === null;
  return [
    ...isTls(xds.address) ? [`${xds.address} (XDS_ADDRESS)`] : [],
    ...istioCa && isTls(ca.address) ? [`${ca.address} (CA_ADDRESS)`] : [],
    ...spire.broker === null ? [] : [`${spire.broker.socketUri} (SPIFFE_BROKER_SOCKET)`],
  ];
}

function isTls(address: string | null): boolean {
  return address?.startsWith("https://") ?? false;
}
