/** Verifies servers by name: istiod and its CA (`docs/spec/xds-state.md` 2.2, `identity-spire.md` 3.2, 3.3). */
import type { RootCertificates } from "../config/config.ts";
import { type Certificate, isMalformed, parseCertificate } from "../identity/certificate.ts";
import { decodePem, isPemProblem } from "../identity/pem.ts";
import { checkServerName } from "../identity/server_name.ts";
import type { TlsMaterial, TlsSecurity } from "./channel.ts";
import { fileVersion, readSmallFile } from "./small_file.ts";
import { Code, GrpcError } from "./status.ts";
import type { Target } from "./target.ts";

/** How a server is verified by name. */
interface ServerTrust {
  readonly roots: RootCertificates;
  /** A name that is accepted besides the target's host. */
  readonly alternativeHostname: string | null;
  /** Allows TLS 1.2 besides 1.3 (`TLS12_ENABLED`). */
  readonly tls12: boolean;
  /** The names of the settings, for errors: `XDS_ROOT_CA`, `ALT_XDS_HOSTNAME`. */
  readonly settings: { readonly roots: string; readonly alternativeHostname: string };
}

/** Files in which distributions keep the system's roots; the first one that exists is used. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Returns the security of a TLS target. The roots are read again for each connection. */
export function namedServer(
  target: Target,
  trust: ServerTrust,
  systemBundles: readonly string[] = SYSTEM_BUNDLES,
): TlsSecurity {
  return new NamedServer(target, trust, systemBundles);
}

interface Anchors {
  readonly certificates: readonly Certificate[];
  readonly from: string;
  readonly version: string | null;
}

class NamedServer implements TlsSecurity {
  readonly #trust: ServerTrust;
  readonly #names: readonly string[];
  readonly #serverName: string | null;
  readonly #systemBundles: readonly string[];
  /** The versions of the files that each returned material was read from. */
  readonly #versions = new WeakMap<TlsMaterial, string | null>();

  constructor({ endpoint }: Target, trust: ServerTrust, systemBundles: readonly string[]) {
    if (endpoint.kind !== "tcp") throw new TypeError("a Unix socket has no name to verify");
    this.#trust = trust;
    this.#names = [endpoint.host, ...trust.alternativeHostname === null ? [] : [trust.alternativeHostname]];
    this.#serverName = endpoint.ip === null ? endpoint.host : null;
    this.#systemBundles = systemBundles;
  }

  async material(): Promise<TlsMaterial> {
    const anchors = await this.#anchors();
    const material: TlsMaterial = {
      anchors: anchors.certificates,
      anchorsFrom: anchors.from,
      credentials: null,
      serverName: this.#serverName,
      tls12: this.#trust.tls12,
      accept: (path) => this.#accept(path),
    };
    this.#versions.set(material, anchors.version);
    return material;
  }

  async isCurrent(material: TlsMaterial): Promise<boolean> {
    const path = this.#trust.roots.kind === "file" ? this.#trust.roots.path : null;
    return path === null || await fileVersion(path) === this.#versions.get(material);
  }

  #accept(path: readonly Certificate[]) {
    const refusal = checkServerName(path, this.#names);
    if (refusal === null || refusal.code !== "NAME_MISMATCH" || this.#trust.alternativeHostname !== null) {
      return refusal;
    }
    const setting = this.#trust.settings.alternativeHostname;
    return { code: refusal.code, message: `${refusal.message} (${setting} allows another name)` };
  }

  #anchors(): Promise<Anchors> {
    const { roots, settings } = this.#trust;
    switch (roots.kind) {
      case "file":
        return readAnchors(roots.path, `root certificates in "${roots.path}" (${settings.roots})`);
      case "pem":
        return Promise.resolve(parseAnchors(roots.pem, `root certificates in ${settings.roots}`, null));
      case "system":
        return this.#systemAnchors(`the system's root certificates (${settings.roots}=SYSTEM)`);
      default:
        return roots satisfies never;
    }
  }

  async #systemAnchors(from: string): Promise<Anchors> {
    for (const path of this.#systemBundles) {
      if (await fileVersion(path) !== null) return await readAnchors(path, `${from} in "${path}"`);
    }
    throw setupError(`cannot find ${from}`, `none of ${this.#systemBundles.join(", ")} exists`);
  }
}

async function readAnchors(path: string, from: string): Promise<Anchors> {
  // The version is read before the content, so that a file that is replaced in between is read again later.
  const version = await fileVersion(path);
  const read = await readSmallFile(path);
  if ("problem" in read) throw setupError(`cannot read ${from}`, read.problem);
  return parseAnchors(read.text, from, version);
}

/** Skips certificates that cannot be parsed; throws where none can. */
function parseAnchors(pem: string, from: string, version: string | null): Anchors {
  const blocks = decodePem(pem);
  if (isPemProblem(blocks)) throw setupError(`cannot use ${from}`, blocks.problem);
  const certificates: Certificate[] = [];
  let problem = "no certificate is there";
  for (const { label, der } of blocks) {
    if (label !== "CERTIFICATE") continue;
    const certificate = parseCertificate(der);
    if (isMalformed(certificate)) problem = certificate.problem;
    else certificates.push(certificate);
  }
  if (certificates.length === 0) throw setupError(`cannot use ${from}`, problem);
  return { certificates, from, version };
}

function setupError(message: string, source: string): GrpcError {
  return new GrpcError(Code.Unavailable, message, "setup", source);
}
