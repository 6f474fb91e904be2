/** Reads PeerAuthentications as istiod does, also in what it refuses. */
import type { Field } from "../static_file/field.ts";
import { type Metadata, readSelector } from "./metadata.ts";
import type { PeerAuthentication, TlsMode } from "./objects.ts";

const PORT_MAX = 65_535;

/** `spec`: null where it is absent. Throws `ConfigError`. */
export function readPeerAuthentication(
  spec: Field | null,
  { namespace, name, created }: Metadata,
): PeerAuthentication {
  const fields = spec?.object(["selector", "mtls", "portLevelMtls"]) ?? null;
  const selector = readSelector(fields?.nullable("selector") ?? null);
  const levels = fields?.nullable("portLevelMtls") ?? null;
  const ports = (levels?.entries() ?? []).map(([key, value, where]) => {
    const port = /^[1-9][0-9]{0,4}$/.test(key) ? Number(key) : NaN;
    if (!(port <= PORT_MAX)) where.reject(`${key} is no port from 1 to ${PORT_MAX}`);
    return { port, mode: readMode(value) };
  });
  if (levels !== null && Object.keys(selector ?? {}).length === 0 && ports.length > 0) {
    levels.reject("modes of ports need a selector with labels");
  }
  return {
    kind: "PeerAuthentication",
    namespace,
    name,
    selector,
    created,
    mode: readMode(fields?.nullable("mtls") ?? null),
    ports: ports.sort((a, b) => a.port - b.port),
  };
}

function readMode(field: Field | null): TlsMode {
  if (field === null || field.isNull) return "UNSET";
  return field.object(["mode"]).nullable("mode")?.oneOf(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]) ?? "UNSET";
}
