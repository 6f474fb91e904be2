/**
 * Makes and checks a release: `deno task release [--out=dist/release] [--arch=amd64,arm64] [--verify] [--no-demo]
 * [--cluster]`.
 *
 * In the folder `--out`: executables, the container image, the archive of deploy/, components, licences, NOTES.md and
 * SHA256SUMS. `--verify` makes it twice and compares. Then the executable of this machine says its version and runs the
 * demo, and with `--cluster` the image runs the scenarios of a real Kubernetes. docs/release.md says what is needed.
 */
import { parseArgs } from "node:util";
import { readStamp } from "../image/build.ts";
import { output } from "../image/command.ts";
import { HERE, platformsOf } from "../image/platform.ts";
import type { Stamp } from "../image/oci.ts";
import { buildRelease, CHECKSUMS, executableName } from "./build.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "out": { type: "string", default: "dist/release" },
    "arch": { type: "string", default: "amd64,arm64" },
    "verify": { type: "boolean", default: false },
    "no-demo": { type: "boolean", default: false },
    "cluster": { type: "boolean", default: false },
  },
});

const out = values.out;
const platforms = platformsOf(values.arch);
const stamp = await readStamp();
if (stamp.version.endsWith("-dev")) {
  console.error(`${stamp.version} is no release: a clean tree with the tag of its version is one (CONTRIBUTING.md)`);
}
await Deno.remove(out, { recursive: true }).catch(() => {}); // it may not exist
await buildRelease(out, platforms, stamp);
if (values.verify) await compareWithSecondBuild(stamp);
await output("sha256sum", ["--check", "--strict", "--quiet", CHECKSUMS], { cwd: out });
if (platforms.includes(HERE)) await tryExecutable(`${await Deno.realPath(out)}/${executableName(HERE, stamp)}`, stamp);
if (values.cluster) {
  const env = { ZTUNNEL_IMAGE: `${await Deno.realPath(out)}/ztunnel-${stamp.version}-oci.tar` };
  await output(Deno.execPath(), ["task", "interop:kubernetes"], { env });
}
for (const { name } of [...Deno.readDirSync(out)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  const megabytes = Deno.statSync(`${out}/${name}`).size / 1e6;
  console.log(`${megabytes.toFixed(1).padStart(6)} MB  ${out}/${name}`);
}

/** Throws where a file differs, and names it. */
async function compareWithSecondBuild(stamp: Stamp): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "verify-" });
  try {
    await buildRelease(`${folder}/release`, platforms, stamp);
    const [first, second] = [out, `${folder}/release`].map((path) => Deno.readTextFileSync(`${path}/${CHECKSUMS}`));
    const lines = new Set(second!.split("\n"));
    const different = first!.split("\n").filter((line) => !lines.has(line)).map((line) => line.split("  ")[1]);
    if (first !== second) throw new Error(`a second build made other bytes: ${different.join(", ")}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The executable says which version it is, and the claims of the demo hold with it. */
async function tryExecutable(executable: string, { version, revision }: Stamp): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "unpacked-" });
  try {
    const env = { ZTUNNEL_UNPACK_DIR: folder };
    const said = await output(executable, ["version"], { env });
    const wanted = `Version:"${version}", GitRevision:"${revision}"`;
    if (!said.includes(wanted)) throw new Error(`${executable} must be ${wanted}, and says ${said}`);
    if (values["no-demo"]) return;
    const demo = ["task", "demo", "--once", "--bytes=50MB"];
    await output(Deno.execPath(), demo, { env: { ...env, ZTUNNEL_EXECUTABLE: executable } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
