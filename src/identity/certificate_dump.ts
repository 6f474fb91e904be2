/** The `certificates` part of the configuration dump (`docs/spec/config-admin.md` 4.5). It contains no private key. */
import type { CertificateStatus } from "./certificate_manager.ts";
import type { CertificateState } from "./certificate_state.ts";
import { isMalformed, parseCertificate, serialDecimal } from "./certificate.ts";
import { DUMP_COLUMNS, encodePem } from "./pem.ts";
import { anchorsFor } from "./trust_bundles.ts";
import { trustDomainOf } from "./spiffe_id.ts";

/** One identity, or one pod, in the dump. */
export interface CertificateDump {
  readonly identity: string;
  /** The pod, where each pod has its own certificate. The Rust ztunnel does not have this field. */
  readonly workloadUid?: string;
  /** `Initializing`, `Available`, `Unavailable: {error}` */
  readonly state: string;
  readonly certChain: readonly CertificateDumpEntry[];
  readonly rootCerts: readonly CertificateDumpEntry[];
}

/** One certificate of a chain. */
interface CertificateDumpEntry {
  /** Base64 of the PEM text. */
  readonly pem: string;
  /** Decimal. */
  readonly serialNumber: string;
  /** RFC 3339, whole seconds, `Z`. */
  readonly validFrom: string;
  readonly expirationTime: string;
}

/** Returns the dump of the manager's certificates, in the order of `statuses`. */
export function dumpCertificates(statuses: readonly Pick<CertificateStatus, "subject" | "state">[]): CertificateDump[] {
  return statuses.map(({ subject, state }) => ({
    identity: subject.id,
    ...(subject.workloadUid === null ? {} : { workloadUid: subject.workloadUid }),
    state: stateText(state),
    ...dumpChains(state),
  }));
}

function stateText(state: CertificateState): string {
  switch (state.at) {
    case "initializing":
      return "Initializing";
    case "available":
      return "Available";
    case "unavailable":
      return `Unavailable: ${state.error.message}`;
    default:
      return state satisfies never;
  }
}

function dumpChains(state: CertificateState): Pick<CertificateDump, "certChain" | "rootCerts"> {
  if (state.at !== "available") return { certChain: [], rootCerts: [] };
  const { chain, bundles, id } = state.certificate;
  return { certChain: dumpAll(chain), rootCerts: dumpAll(anchorsFor(bundles, trustDomainOf(id))) };
}

/** Anchors that cannot be parsed are not used for verification either, so they are left out. */
function dumpAll(ders: readonly Uint8Array[]): CertificateDumpEntry[] {
  return ders.map(dumpOne).filter((entry) => entry !== null);
}

function dumpOne(der: Uint8Array): CertificateDumpEntry | null {
  const certificate = parseCertificate(der);
  if (isMalformed(certificate)) return null;
  return {
    pem: btoa(encodePem("CERTIFICATE", der, DUMP_COLUMNS)),
    serialNumber: serialDecimal(certificate.serial),
    validFrom: dumpTime(certificate.notBefore),
    expirationTime: dumpTime(certificate.notAfter),
  };
}

/** Times before 1970 become 1970. */
function dumpTime(ms: number): string {
  return new Date(Math.max(0, ms)).toISOString().replace(/\.\d+Z$/, "Z");
}
