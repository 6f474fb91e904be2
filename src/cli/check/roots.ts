/** The root certificates for istiod and its CA, and the clock of this machine compared with them. */
import type { Config, RootCertificates } from "../../config/config.ts";
import { type Certificate, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import { decodePem, isPemProblem } from "../../identity/pem.ts";
import type { Finding, Machine } from "./machine.ts";
import { tokenTimes } from "./token_times.ts";

type Facts = Pick<Machine, "read" | "now">;

/** Something, and the moment from which it is valid. */
type Start = readonly [what: string, from: number];

/** ms that two clocks may differ. */
const TOLERANCE = 60_000;

/** Roots and the setting that names them: `XDS_ROOT_CA`. */
interface UsedRoots {
  readonly setting: string;
  readonly roots: RootCertificates;
}

/** The findings about roots and clock, and the settings whose roots cannot be used. */
interface RootsReport {
  readonly findings: readonly Finding[];
  readonly unusable: readonly string[];
}

/** One finding for each of the roots, which several settings may name, and one for the clock. */
export function checkRoots(used: readonly UsedRoots[], { token }: Pick<Config, "token">, machine: Facts): RootsReport {
  const groups = Map.groupBy(used, ({ roots }) => JSON.stringify(roots));
  const starts: Start[] = [];
  const unusable: string[] = [];
  const findings = [...groups.values()].map((group) => {
    const settings = group.map(({ setting }) => setting);
    const { finding, from } = checkOne(settings.join(", "), group[0]!.roots, machine);
    starts.push(...from);
    if (finding.state === "problem") unusable.push(...settings);
    return finding;
  });
  const text = token?.kind === "file" ? machine.read(token.path) : null;
  const issued = text !== null && "text" in text ? tokenTimes(text.text).issued : null;
  if (issued !== null) starts.push(["the token", issued]);
  return { findings: [...findings, clockFinding(starts, machine.now())], unusable };
}

/** `from`: when the certificates become valid. */
function checkOne(
  subject: string,
  roots: RootCertificates,
  machine: Facts,
): { readonly finding: Finding; readonly from: readonly Start[] } {
  if (roots.kind === "system") {
    return { finding: { subject, state: "ok", text: "the system's root certificates" }, from: [] };
  }
  const name = roots.kind === "pem" ? "its PEM text" : roots.path;
  const file = roots.kind === "pem" ? { text: roots.pem } : machine.read(roots.path);
  if ("problem" in file) {
    const cure = `mount the roots of istiod there (ConfigMap istio-ca-root-cert), or set ${subject}`;
    return { finding: { subject, state: "problem", text: `${name}: ${file.problem}`, cure }, from: [] };
  }
  const certificates = certificatesIn(file.text);
  return {
    finding: validity(subject, name, certificates, machine.now()),
    from: certificates.map(({ notBefore }) => [`a certificate of ${subject}`, notBefore] as const),
  };
}

function certificatesIn(pem: string): Certificate[] {
  const blocks = decodePem(pem);
  if (isPemProblem(blocks)) return [];
  return blocks.filter(({ label }) => label === "CERTIFICATE").map(({ der }) => parseCertificate(der))
    .filter((certificate): certificate is Certificate => !isMalformed(certificate));
}

function validity(subject: string, name: string, certificates: readonly Certificate[], now: number): Finding {
  if (certificates.length === 0) {
    const cure = `${subject} must name a file with root certificates in PEM`;
    return { subject, state: "problem", text: `${name} has no usable certificate`, cure };
  }
  const last = Math.max(...certificates.map(({ notAfter }) => notAfter));
  const until = new Date(last).toISOString();
  if (last > now) return { subject, state: "ok", text: `${name}: ${certificates.length}, valid until ${until}` };
  const cure = "get the current roots of istiod, or set the clock if it is wrong";
  return { subject, state: "problem", text: `${name}: all certificates have expired, the last one at ${until}`, cure };
}

/** What was issued in the future shows that this clock, or that of the issuer, is wrong. */
function clockFinding(starts: readonly Start[], now: number): Finding {
  const time = new Date(now).toISOString();
  const future = starts.find(([, from]) => from > now + TOLERANCE);
  if (future === undefined) return { subject: "clock", state: "ok", text: time };
  const [what, from] = future;
  return {
    subject: "clock",
    state: "problem",
    text: `it is ${time} here, and ${what} is valid from ${new Date(from).toISOString()} on`,
    cure: "synchronize the clock of this machine (NTP), or that of the issuer",
  };
}
