/** Settings of the control plane: addresses, trust, token, headers (`docs/spec/config-admin.md` 1.4, 1.10). */
import type { CaSettings, Header, LocalState, RootCertificates, TokenSource, XdsSettings } from "./config.ts";
import type { Environment } from "./environment.ts";
import { ConfigError, invalidConfiguration } from "./error.ts";
import type { ConfigFiles } from "./files.ts";
import type { ProxyConfig } from "./proxy_config.ts";
import { controlPlaneUri } from "./uri.ts";

const TOKEN = "./var/run/secrets/tokens/istio-token";

/**
 * Addresses and trust are checked at once, the rest when the returned functions are called: the order in which
 * mistakes are reported (`docs/spec/config-admin.md` 7.2). `warn` takes what is wrong and not fatal.
 */
export function controlPlane(
  environment: Environment,
  files: ConfigFiles,
  mesh: ProxyConfig,
  warn: (text: string) => void,
): { readonly xds: () => XdsSettings; readonly ca: () => CaSettings } {
  const fallback = environment.has("KUBERNETES_SERVICE_HOST")
    ? "https://istiod.istio-system.svc:15012"
    : "https://localhost:15012";
  const xdsAddress = controlPlaneUri(environment.text("XDS_ADDRESS") ?? mesh.discoveryAddress ?? fallback);
  const fake = environment.bool("FAKE_CA");
  const caAddress = fake ? null : controlPlaneUri(environment.text("CA_ADDRESS") ?? fallback);
  const xds = (): XdsSettings => ({
    address: xdsAddress,
    roots: rootCertificates(environment.text("XDS_ROOT_CA"), files),
    alternativeHostname: environment.text("ALT_XDS_HOSTNAME"),
    headers: headers(environment, "XDS_HEADER_"),
    onDemand: environment.bool("XDS_ON_DEMAND"),
    local: localState(environment),
    jsonMetadata: jsonMetadata(environment, warn),
  });
  const ca = (): CaSettings => ({
    address: caAddress,
    roots: rootCertificates(environment.text("CA_ROOT_CA"), files),
    alternativeHostname: environment.text("ALT_CA_HOSTNAME"),
    headers: headers(environment, "CA_HEADER_"),
    fake,
    localFiles: localAuthority(environment),
    secretTtl: environment.duration("SECRET_TTL"),
  });
  return { xds, ca };
}

/**
 * An existing path, `SYSTEM`, or PEM text. A text that is neither is a path whose file may still appear: it is read
 * when it is needed. (The Rust ztunnel takes such a path for an empty bundle, and every handshake then fails without a reason.)
 */
function rootCertificates(text: string, files: ConfigFiles): RootCertificates {
  if (files.exists(text)) return { kind: "file", path: text };
  if (text === "SYSTEM") return { kind: "system" };
  return text.includes("-----BEGIN") ? { kind: "pem", pem: text } : { kind: "file", path: text };
}

/** `AUTH_TOKEN`: a file where the value is the path of one, else the token itself. Null: no token is sent. */
export function parseToken(environment: Environment, files: ConfigFiles): TokenSource | null {
  const text = environment.text("AUTH_TOKEN");
  if (text === null) return files.exists(TOKEN) ? { kind: "file", path: TOKEN } : null;
  return files.exists(text) ? { kind: "file", path: text } : { kind: "literal", token: text };
}

function localState(environment: Environment): LocalState | null {
  const path = environment.text("LOCAL_XDS_PATH");
  const yaml = environment.text("LOCAL_XDS");
  if (path !== null && yaml !== null) {
    throw invalidConfiguration("only one of LOCAL_XDS_PATH or LOCAL_XDS may be set");
  }
  if (path !== null) return { kind: "file", path };
  return yaml === null ? null : { kind: "inline", yaml };
}

function localAuthority(environment: Environment): CaSettings["localFiles"] {
  const certificate = environment.text("LOCAL_CA_CERT");
  const key = environment.text("LOCAL_CA_KEY");
  if (certificate === null && key === null) return null;
  if (certificate === null || key === null) {
    throw invalidConfiguration("LOCAL_CA_CERT and LOCAL_CA_KEY must be set together");
  }
  return { certificate, key };
}

function jsonMetadata(environment: Environment, warn: (text: string) => void): Record<string, unknown> {
  const metadata: Record<string, unknown> = {};
  for (const { name, rest, value } of environment.withPrefix("ISTIO_METAJSON_")) {
    try {
      metadata[rest] = JSON.parse(value);
    } catch {
      warn(`failed to parse ${name}=${value}`);
    }
  }
  return metadata;
}

/** A gRPC metadata name: an HTTP token that does not announce binary data. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

function headers(environment: Environment, prefix: "XDS_HEADER_" | "CA_HEADER_"): Header[] {
  return environment.withPrefix(prefix).map(({ name, rest, value }) => {
    const header = rest.toLowerCase();
    if (!HEADER_NAME.test(header) || header.endsWith("-bin")) {
      throw new ConfigError(`failed to parse header key: ${name}`);
    }
    // Not the value: it may be a token, to which an editor has added a line feed.
    if (!HEADER_VALUE.test(value)) throw new ConfigError(`failed to parse header value of ${name}: no visible ASCII`);
    return [header, value];
  });
}
