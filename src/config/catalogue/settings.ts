/** Every environment variable that the proxy reads. `docs/configuration.md` is made from this. */
import { SPIRE, TLS } from "./certificates.ts";
import { CONTROL_PLANE } from "./control_plane.ts";
import { HTTP2, METADATA, PORTS, SOCKETS } from "./network.ts";
import { OTLP } from "./otlp.ts";
import { PLACEMENT } from "./placement.ts";
import { PROCESS } from "./process.ts";
import type { Setting, Syntax } from "./setting.ts";

/** In the order of the manual. */
export const GROUPS = {
  "What is served": PLACEMENT,
  "Control plane": CONTROL_PLANE,
  "TLS and the proxy's own CA": TLS,
  "SPIRE": SPIRE,
  "Ports": PORTS,
  "Sockets": SOCKETS,
  "HBONE connections": HTTP2,
  "DNS": METADATA,
  "Process, log and metrics": PROCESS,
  "Export by OTLP": OTLP,
} as const satisfies Record<string, Readonly<Record<string, Setting>>>;

export const SETTINGS = {
  ...PLACEMENT,
  ...CONTROL_PLANE,
  ...TLS,
  ...SPIRE,
  ...PORTS,
  ...SOCKETS,
  ...HTTP2,
  ...METADATA,
  ...PROCESS,
  ...OTLP,
} as const;

/** The variables whose name begins with one of these are read, too. */
export const PREFIXES = {
  ISTIO_META_: "Proxy metadata, which istiod gets with the name after the prefix.",
  ISTIO_METAJSON_: "Proxy metadata as a JSON value. A value that cannot be read is left out with a warning.",
  XDS_HEADER_:
    "A header of each call to the XDS server; its name is what follows the prefix. The value may be a secret.",
  CA_HEADER_: "A header of each call to Istio's CA.",
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Prefix = keyof typeof PREFIXES;

/** The settings that are written in one of these syntaxes. */
export type SettingWith<S extends Syntax> = {
  [N in SettingName]: (typeof SETTINGS)[N]["syntax"] extends S ? N : never;
}[SettingName];

/** `T` where the catalogue has a default for the setting, else `T` or null. */
export type ValueOf<N extends SettingName, T> = (typeof SETTINGS)[N]["fallback"] extends string ? T : T | null;
