import type { Config } from "./config.ts";

/** Each pod has a certificate of its own, also where several have one identity. */
export function certificatesPerPod({ ca, spire }: Config): boolean {
  return !ca.fake && (spire.broker !== null || spire.enabled && spire.attestation !== "selectors");
}
