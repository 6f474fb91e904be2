/** Documents: the static file and the config dump. */
import { ConfigError } from "../../../src/config/error.ts";
import { DumpError } from "../../../src/mesh/dump/fields.ts";
import { readDump } from "../../../src/mesh/dump/reader.ts";
import { parseStaticFile } from "../../../src/mesh/static_file/static_file.ts";
import { type FuzzedDecoder, utf8 } from "../decoder.ts";

const staticFile: FuzzedDecoder = {
  name: "static-file",
  // The library compares each key of a map with all others. The file is the operator's own.
  longest: 1024,
  maxMillis: 1000,
  run(input) {
    try {
      parseStaticFile(utf8(input), "file");
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
  },
};

const configDump: FuzzedDecoder = {
  name: "config-dump",
  seeds: () =>
    ["dedicated", "node1"].map((name) =>
      Deno.readFileSync(new URL(`../../../tests/fixtures/golden/config_dump-${name}.json`, import.meta.url))
    ),
  run(input) {
    try {
      readDump(utf8(input), "dump");
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
    }
  },
};

/** The decoders of this file. */
export const FILE_DECODERS: readonly FuzzedDecoder[] = [staticFile, configDump];
