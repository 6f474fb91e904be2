/**
 * Where a file stands in the project, and what a file at one place may import from another (`docs/architecture.md`,
 * "Rooms").
 */

/** The rooms of `src/` from the top. A file of one room may import from its own room and from those behind it. */
export const ROOMS = [
  "main",
  "cli",
  "app",
  "admin",
  "otlp",
  "control",
  "dataplane",
  "inpod",
  "dns",
  "proxy",
  "hbone",
  "xds",
  "authorities",
  "grpc",
  "mesh",
  "identity",
  "telemetry",
  "config",
  "h2",
  "net",
  "os",
] as const;
export type Room = typeof ROOMS[number];

/** The folders of rooms that have several, from the top. Files that stand in the room itself may import from all. */
export const FOLDERS: { readonly [R in Room]?: readonly string[] } = {
  control: ["mesh", "pods", "certificates", "workers"],
  mesh: [
    "dump",
    "simulate",
    "explain",
    "resolve",
    "state",
    "policy",
    "istio_policies",
    "static_file",
    "headers",
    "records",
    "model",
  ],
};

/** Folders beside `src/`, and the folders that each may import from. Each may import from itself and from `proto/`. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  tests: ["src", "lab", "testkit"],
  bench: ["src", "lab", "testkit"],
  testkit: ["src", "lab"],
  demo: ["src", "lab"],
  tools: ["src", "lab"],
  lab: ["src"],
  // Its tests compare types with those of the proxy.
  dashboard: ["src"],
};
/** Those that may also import the test kits of rooms. */
const USES_KITS: ReadonlySet<string> = new Set(["tests", "bench", "testkit"]);

export type Place =
  | { readonly kind: "room"; readonly room: Room; readonly folder: string; readonly test: boolean }
  /** `src/ROOM/testkit/`: what only tests use. */
  | { readonly kind: "kit"; readonly room: Room }
  | { readonly kind: "stray"; readonly folder: string }
  /** Generated code, and data at the root of the project. */
  | { readonly kind: "generated" }
  | { readonly kind: "beside"; readonly folder: string; readonly test: boolean };

/** Classifies a path relative to the root of the project. */
export function placeOf(path: string): Place {
  const [top = "", second = "", third = "", ...rest] = path.split("/");
  const test = path.endsWith("_test.ts");
  if (path === "main.ts") return { kind: "room", room: "main", folder: "", test };
  if (top === "proto" || path.startsWith("testkit/gen/") || second === "") return { kind: "generated" };
  if (top !== "src") return { kind: "beside", folder: top, test };
  if (!isRoom(second) || second === "main") return { kind: "stray", folder: second };
  if (third === "testkit") return { kind: "kit", room: second };
  return { kind: "room", room: second, folder: rest.length === 0 ? "" : third, test };
}

function isRoom(name: string): name is Room {
  return (ROOMS as readonly string[]).includes(name);
}

/** Why a file at `from` must not import `to`, or null where it may. Both are relative to the root. */
export function refusal(from: string, to: string): string | null {
  const importer = placeOf(from), target = placeOf(to);
  switch (importer.kind) {
    case "generated":
    case "stray":
      return null;
    case "beside":
      return refusalBeside(importer.folder, target);
    case "kit":
      return refusalOfTest(importer.room, target);
    case "room":
      return importer.test ? refusalOfTest(importer.room, target) : refusalOfProduct(importer, target);
    default:
      return importer satisfies never;
  }
}

function refusalBeside(folder: string, target: Place): string | null {
  switch (target.kind) {
    case "room":
      return target.test ? "Import a test kit instead of a test" : null;
    case "kit":
      return USES_KITS.has(folder) ? null : `Code in ${folder}/ must not import test kits`;
    case "beside":
      if (target.folder === folder || BESIDE[folder]?.includes(target.folder)) return null;
      return `Code in ${folder}/ must not import from ${target.folder}/`;
    case "generated":
    case "stray":
      return null;
    default:
      return target satisfies never;
  }
}

function refusalOfTest(room: Room, target: Place): string | null {
  switch (target.kind) {
    case "room":
      return target.test ? "Import a test kit instead of a test" : upward(room, target.room);
    case "beside":
      if (target.folder === "lab" || target.folder === "testkit") return null;
      return `Code in src/ must not import from ${target.folder}/`;
    case "kit":
    case "generated":
    case "stray":
      return null;
    default:
      return target satisfies never;
  }
}

function refusalOfProduct(importer: Place & { kind: "room" }, target: Place): string | null {
  switch (target.kind) {
    case "room":
      if (target.test) return "Product code must not import a test";
      return upward(importer.room, target.room) ?? upwardInside(importer, target);
    case "kit":
      return "Product code must not import a test kit";
    case "beside":
      return `Product code must not import from ${target.folder}/`;
    case "generated":
    case "stray":
      return null;
    default:
      return target satisfies never;
  }
}

function upward(from: Room, to: Room): string | null {
  if (ROOMS.indexOf(to) >= ROOMS.indexOf(from)) return null;
  return `Room "${from}" must not import from room "${to}", which is above it`;
}

/** Between the folders of one room, where these have an order. */
function upwardInside(from: Place & { kind: "room" }, to: Place & { kind: "room" }): string | null {
  const order = FOLDERS[from.room];
  if (order === undefined || from.room !== to.room || from.folder === "" || from.folder === to.folder) return null;
  if (order.indexOf(to.folder) > order.indexOf(from.folder)) return null;
  return `Folder "${from.room}/${from.folder}" must not import from "${from.room}/${to.folder}", which is above it`;
}
