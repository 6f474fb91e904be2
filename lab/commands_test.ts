import { strict as assert } from "node:assert";
import { findCommand, type Programs } from "./commands.ts";

const OPENBSD =
  "OpenBSD netcat\nusage: nc [-46CDdFhklNnrStUuvZz]\n\t\t-N\t\tShutdown the network socket after EOF on stdin\n";
const NCAT =
  "Ncat 7.93 ( https://nmap.org/ncat )\nUsage: ncat [options] [hostname] [port]\n  -n, --nodns   Do not resolve\n";

/** Returns a machine with these programs and their output. */
function programs(installed: Readonly<Record<string, string>>): Programs {
  return { has: (name) => name in installed, prints: (name) => installed[name] ?? "" };
}

const TABLE: readonly (readonly [what: string, installed: Record<string, string>, found: string])[] = [
  ["nothing", {}, "nc is missing; apt-get install netcat-openbsd"],
  ["OpenBSD's netcat", { nc: OPENBSD }, "nc"],
  [
    "ncat under the name nc",
    { nc: NCAT },
    "nc must have the option -N, which ends one direction; apt-get install netcat-openbsd",
  ],
  ["ncat under the name nc, and OpenBSD's beside it", { nc: NCAT, "nc.openbsd": OPENBSD }, "nc.openbsd"],
];

for (const [what, installed, expected] of TABLE) {
  Deno.test(`commands: nc on a machine with ${what}`, () => {
    const found = findCommand("nc", programs(installed));
    assert.equal(found.ok ? found.name : `${found.reason}; ${found.cure}`, expected);
  });
}

Deno.test("commands: BusyBox is not accepted as iproute2 or util-linux", () => {
  const busybox = programs({ ip: "BusyBox v1.35.0 multi-call binary", setpriv: "BusyBox v1.35.0 multi-call binary" });
  for (const name of ["ip", "setpriv"] as const) assert.equal(findCommand(name, busybox).ok, false);
});

Deno.test("commands: a command without a probe needs only its name", () => {
  assert.deepEqual(findCommand("curl", programs({ curl: "" })), { ok: true, name: "curl" });
});

Deno.test("commands: Debian's Python is found behind another one that lacks the module", () => {
  const installed = { python3: "ModuleNotFoundError: No module named 'grpc'", "/usr/bin/python3": "1.51.1" };
  assert.deepEqual(findCommand("python3", programs(installed)), { ok: true, name: "/usr/bin/python3" });
});
