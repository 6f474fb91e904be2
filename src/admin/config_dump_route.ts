/**
 * `/config_dump` (`docs/spec/config-admin.md` 4.4). The document is made while it is sent: mesh sections arrive from a
 * worker in slices, the rest is made here in steps. A dump of a mesh of any size therefore blocks neither event loop,
 * and its memory does not depend on the speed of its reader.
 *
 * Mesh sections show the mesh at the beginning of the dump (`mesh/dump/sections.ts`); each other section shows the
 * state at the time when it is written.
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

/** The sources of a dump. */
export interface DumpSources {
  readonly certificates: () => readonly CertificateStatus[];
  readonly config: JsonObject;
  readonly version: JsonObject;
  /** Read again for each dump. */
  readonly staticConfig: () => JsonObject;
  /** Begins a dump of the mesh, when a worker has one. */
  readonly mesh: () => Promise<MeshSource>;
  /** The text of the section `workloadState`; null in dedicated mode, which has none. */
  readonly workloadState: (() => AsyncIterable<string>) | null;
}

/** The mesh at one point in time. Sections are read in order, each to its end. */
export interface MeshSource {
  section(name: MeshSection): AsyncIterable<string>;
  /** The dump has ended or was aborted. */
  end(): void;
}

/** Dumps at a time. Each holds references to the mesh at its beginning. */
const DUMPS_MAX = 2;
/** Time limit of a dump, ms. A slower reader only keeps others from a dump. */
const DUMP_MAX = 5 * 60_000;

/** The handler of the route. */
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

/** Parsing and encoding takes half a millisecond for each certificate; other tasks run in between. */
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
