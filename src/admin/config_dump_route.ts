/**
 * `/config_dump` (`docs/spec/config-admin.md` 4.4). The document is made while it is sent: mesh sections come from a
 * worker slice by slice, the rest is made here in portions. So neither loop is held, however large the mesh is, and
 * what a dump holds in memory does not depend on how fast its reader is.
 *
 * Mesh sections are of one moment, the beginning of the dump (`mesh/dump/sections.ts`); every other section is of the
 * moment when it is written.
 */
import { type CertificateDump, dumpCertificates } from "../identity/certificate_dump.ts";
import type { CertificateStatus } from "../identity/certificate_manager.ts";
import type { JsonObject } from "../mesh/dump/objects.ts";
import { Items, jsonPieces, jsonText } from "../mesh/dump/json.ts";
import { MESH_SECTIONS, type MeshSection } from "../mesh/dump/sections.ts";
import type { TurnClock } from "../net/clock.ts";
import type { HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";
import { streamed } from "./streamed.ts";

/** What a dump is made of. */
export interface DumpSources {
  readonly certificates: () => readonly CertificateStatus[];
  readonly config: JsonObject;
  readonly version: JsonObject;
  /** Read again for each dump. */
  readonly staticConfig: () => JsonObject;
  /** Begins a dump of the mesh, as soon as there is one. */
  readonly mesh: () => Promise<MeshSource>;
  /** The text of the section's value, shared mode only. */
  readonly workloadState: (() => AsyncIterable<string>) | null;
}

/** The mesh of one moment. Sections are read in order, each to its end. */
export interface MeshSource {
  section(name: MeshSection): AsyncIterable<string>;
  end(): void;
}

/** At a time. Each pins the mesh of its beginning. */
const DUMPS_MAX = 2;
/** Milliseconds. A reader this slow does not read; it only holds the place of another. */
const DUMP_MAX = 5 * 60_000;

export function configDumpRoute(sources: DumpSources, clock: TurnClock): HttpHandler {
  let running = 0;
  return () => {
    if (running >= DUMPS_MAX) {
      return plainText(503, `${running} config dumps are being sent already, try again when one has ended\n`);
    }
    running++;
    return streamed(
      [["content-type", "application/json"]],
      limited(documentOf(sources, clock), clock),
      () => running--,
    );
  };
}

async function* limited(pieces: AsyncIterable<string>, clock: TurnClock): AsyncGenerator<string, void, undefined> {
  const end = clock.now() + DUMP_MAX;
  for await (const piece of pieces) {
    if (clock.now() > end) throw new Error(`the dump was not read within ${DUMP_MAX / 60_000} minutes`);
    yield piece;
  }
}

async function* documentOf(sources: DumpSources, clock: TurnClock): AsyncGenerator<string, void, undefined> {
  const mesh = await sources.mesh();
  let before = "{";
  const named = async function* (name: string, text: Iterable<string> | AsyncIterable<string>) {
    yield `${before}\n  "${name}": `;
    before = ",";
    yield* text;
  };
  try {
    yield* named("certificates", certificatePieces(sources.certificates(), clock));
    yield* named("config", [jsonText(sources.config, 1)]);
    for (const name of BEFORE_STATIC) yield* named(name, mesh.section(name));
    yield* named("staticConfig", [jsonText(sources.staticConfig(), 1)]);
    yield* named("version", [jsonText(sources.version, 1)]);
    if (sources.workloadState !== null) yield* named("workloadState", sources.workloadState());
    yield* named("workloads", mesh.section("workloads"));
    yield "\n}";
  } finally {
    mesh.end();
  }
}

const BEFORE_STATIC = MESH_SECTIONS.filter((name) => name < "staticConfig");

/** Each is parsed and encoded, half a millisecond: other work goes in between. */
async function* certificatePieces(statuses: readonly CertificateStatus[], clock: TurnClock) {
  const items = function* () {
    for (const status of statuses) yield* dumpCertificates([status]).map(plainObject);
  };
  for (const piece of jsonPieces(new Items(items()), 1)) {
    yield piece;
    await clock.turn();
  }
}

function plainObject(dump: CertificateDump): JsonObject {
  const entries = (list: CertificateDump["certChain"]) => list.map((entry) => ({ ...entry }));
  return { ...dump, certChain: entries(dump.certChain), rootCerts: entries(dump.rootCerts) };
}
