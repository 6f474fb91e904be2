/** The section `staticConfig` of the config dump: what a start would load now (`docs/spec/config-admin.md` 4.4). */
import type { Config } from "../../config/config.ts";
import { dumpStaticFile, type JsonObject } from "../../mesh/dump/objects.ts";
import { EMPTY_STATIC_FILE, parseStaticFile } from "../../mesh/static_file/static_file.ts";
import type { LogScope } from "../../telemetry/log.ts";

/** Bytes. Parsing holds the main loop, at 2 MB/s. The sections of the mesh show a larger mesh as well. */
const SIZE_MAX = 256 * 1024;

/** Reads the file each time. A file that cannot be read is logged and shown as empty. */
export function staticConfig({ xds: { local } }: Config, log: LogScope): JsonObject {
  try {
    if (local === null) return dumpStaticFile(EMPTY_STATIC_FILE);
    const text = local.kind === "file" ? readFile(local.path) : local.yaml;
    if (text.length > SIZE_MAX) throw new Error(`it has more than ${SIZE_MAX} bytes`);
    return dumpStaticFile(parseStaticFile(text, local.kind === "file" ? local.path : "LOCAL_XDS"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error(`cannot show the static mesh in the config dump: ${reason}`);
    return dumpStaticFile(EMPTY_STATIC_FILE);
  }
}

function readFile(path: string): string {
  const { size } = Deno.statSync(path);
  if (size > SIZE_MAX) throw new Error(`${path} has ${size} bytes, the most is ${SIZE_MAX}`);
  return Deno.readTextFileSync(path);
}
