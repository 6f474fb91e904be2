/** Addresses of the control plane (`docs/spec/config-admin.md` 1.4, "URI rule"; `unix:` from 1.13). */
import { ConfigError, invalidProxyConfig } from "./error.ts";

/**
 * The URI with its scheme (`https://` where the text has none), or null for none. Throws {@link ConfigError}.
 */
export function controlPlaneUri(text: string | null): string | null {
  if (text === null || text === "") return null;
  if (/^unix:/i.test(text)) return unixUri(text);
  if (!/^[\x21-\x7e]+$/.test(text) || /[<>"{}|\\^`]/.test(text)) throw invalidUri("invalid uri character");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "https" && scheme !== "http") {
    throw invalidProxyConfig(`unsupported URI scheme: ${scheme}`);
  }
  const uri = scheme === undefined ? `https://${text}` : text;
  if (!hasAuthority(uri)) throw invalidUri("invalid authority");
  return uri;
}

function unixUri(text: string): string {
  const path = /^unix:(?:\/\/)?(\/.+)$/i.exec(text)?.[1];
  const absolute = path !== undefined && path !== "/" && !path.startsWith("//");
  if (absolute) return text;
  throw invalidProxyConfig("unix URI must include an absolute socket path (e.g., unix:///run/sock)");
}

function hasAuthority(uri: string): boolean {
  const url = URL.parse(uri);
  return url !== null && url.hostname !== "";
}

function invalidUri(reason: string): ConfigError {
  return new ConfigError(`invalid uri: ${reason}`);
}
