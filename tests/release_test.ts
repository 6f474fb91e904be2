/**
 * The files of a release (`tools/release`) and above all its container image (`tools/image`): a build from a tree at
 * another place has the same bytes, the image for this machine runs with a read-only root as another user, and it agrees
 * with the Dockerfile. Without cargo the TLS library cannot be built, and executable and image have none of their own.
 */
import { strict as assert } from "node:assert";
import { meshText } from "../lab/mesh.ts";
import { lacks, plan } from "../lab/needs.ts";
import { Program, run } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { scrape, sumOf } from "../lab/scrape.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import { objectsOf } from "../lab/istio/manifest_text.ts";
import { renderings } from "../lab/istio/values_files.ts";
import { type LaidOutImage, readLayout, unpackImage } from "../testkit/oci_layout.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const IP = "127.27.0.9";
const TIME = 1_790_000_000;
const VERSION = "1.0.0";
const HAS_CARGO = await run("cargo", "--version").then(() => true, () => false);
const STAMP = {
  VERSION,
  REVISION: "f00d",
  STATUS: "Clean",
  SOURCE_DATE_EPOCH: String(TIME),
  BUNDLED_TLS_LIBRARY: HAS_CARGO ? "" : "none",
};
/** What goes into an image or builds it. */
const TREE = [
  "src",
  "proto",
  "lab",
  "tools",
  "dashboard",
  "main.ts",
  "deno.json",
  "deno.lock",
  "compile.sh",
  "LICENSE",
];

/** Runs a program of the tree at `root` that builds, however long it takes. Returns why it failed; null if it did not. */
async function build(root: string, program: "image" | "release", ...options: string[]): Promise<string | null> {
  const permissions = ["--no-prompt", "--allow-env", "--allow-read", "--allow-write", "--allow-run"];
  const args = ["run", ...permissions, `tools/${program}/main.ts`, ...options];
  const building = new Deno.Command(Deno.execPath(), { args, cwd: root, env: STAMP, stdin: "null" });
  const { success, stderr } = await building.output();
  return success ? null : new TextDecoder().decode(stderr);
}

/** What the test needs: compilers, and Debian's packages in the pinned versions, which its mirrors drop at some time. */
const COMPILERS = ["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "c++", "cc", "cmake", "make"] as const;
const missing = lacks({ packages: [...COMPILERS, "apt-get", "dpkg-deb"], root: true });
if (missing.length === 0 && await build(ROOT, "image", "--fetch-packages") !== null) {
  const reason = "a pinned package of Debian cannot be downloaded";
  missing.push({ reason, cure: "`deno task image --fetch-packages` says which and what to do", duty: false });
}

/** A program that starts the image's entry point as a container would be started, with its root read-only. */
function entryPoint(dir: TempDir, rootfs: string, { config: { config } }: LaidOutImage): string {
  const script = `#!/bin/sh
exec unshare --mount sh -c '
  cd "$0" && mount --bind . . && cd "$0" && mount -t tmpfs -o mode=1777 tmpfs tmp &&
    mount --rbind /proc proc && mount --rbind /dev dev && mount -o remount,bind,ro . &&
    exec env -- ${config.Env.join(" ")} chroot --userspec=${config.User} . ${config.Entrypoint[0]} "$@"
' ${rootfs} "$@"
`;
  const path = dir.write("entry_point", script);
  Deno.chmodSync(path, 0o755);
  return path;
}

/** The words of a Dockerfile's instructions; those in brackets are JSON. The last one of a kind counts. */
function dockerfile(): Map<string, string> {
  const text = Deno.readTextFileSync(`${ROOT}Dockerfile`).replaceAll("\\\n", "");
  return new Map([...text.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, name, words]) => [name!, words!]));
}

/** Unpacks an archive into a new folder. */
async function unpack(archive: string, folder: string): Promise<void> {
  Deno.mkdirSync(folder);
  await run("tar", "--extract", "--file", archive, "--directory", folder);
}

const NAME = "release: reproducible; its image runs on a read-only root, and says what it is";

async function test(t: Deno.TestContext): Promise<void> {
  using dir = tempDir();
  const release = `${dir.path}/release`;
  assert.equal(await build(ROOT, "release", `--out=${release}`, "--no-demo"), null);
  await unpack(`${release}/ztunnel-${VERSION}-oci.tar`, `${dir.path}/oci`);
  const { digest, images } = readLayout(`${dir.path}/oci`);
  const image = images.find(({ architecture }) => architecture === (Deno.build.arch === "x86_64" ? "amd64" : "arm64"))!;
  const rootfs = `${dir.path}/rootfs`;
  Deno.mkdirSync(rootfs);
  await unpackImage(image, rootfs);
  dir.write("rootfs/etc/resolv.conf", "nameserver 127.0.0.1\n"); // container runtimes bring it
  const executable = entryPoint(dir, rootfs, image);
  const settings = {
    ...nodeSettings({ name: "b", ip: IP, mesh: meshText([{ name: "b", ips: [IP] }]), folder: "/tmp" }),
    TLS_LIBRARY: "", // the one that CI names for other tests is outside of the image
  };

  await t.step("a build of the image from another folder has the same digest", async () => {
    Deno.mkdirSync(`${dir.path}/another/place`, { recursive: true });
    for (const name of TREE) await run("cp", "-r", `${ROOT}${name}`, `${dir.path}/another/place`);
    const again = [`--out=${dir.path}/again`, `--arch=${image.architecture}`];
    const archive = [`--docker=${dir.path}/archive.tar`, "--tag=ztunnel:lab"];
    assert.equal(await build(`${dir.path}/another/place`, "image", ...again, ...archive), null);
    const second = readLayout(`${dir.path}/again/oci`);
    assert.deepEqual(second.images.map(({ digest }) => digest), [image.digest]);
  });

  await t.step("each file is in the list of checksums, and the notes name image and changes", async () => {
    const names = [...Deno.readDirSync(release)].map(({ name }) => name).sort();
    const sums = Deno.readTextFileSync(`${release}/SHA256SUMS`).trim().split("\n").map((line) => line.slice(66));
    assert.deepEqual(sums, names.filter((name) => name !== "SHA256SUMS"));
    await using check = new Program("sha256sum", { args: ["--check", "--strict", "SHA256SUMS"], cwd: release });
    assert.equal((await check.ended()).code, 0);
    const notes = Deno.readTextFileSync(`${release}/NOTES.md`);
    assert.match(notes, /^# ztunnel 1\.0\.0\n\n[^#]/);
    assert.ok(notes.includes(digest), notes);
  });

  await t.step("the archive of deploy/ has plain manifests of each values file for Istio's chart", async () => {
    await unpack(`${release}/ztunnel-${VERSION}-deploy.tar.gz`, `${dir.path}/deploy`);
    for (const name of ["README.md", "ztunnel.yaml", "values/cilium.yaml", "vm/ztunnel.service"]) {
      assert.equal(Deno.readTextFileSync(`${dir.path}/deploy/${name}`), Deno.readTextFileSync(`${ROOT}deploy/${name}`));
    }
    for (const { name } of renderings().filter(({ name }) => name.startsWith("istio-"))) {
      const manifest = Deno.readTextFileSync(`${dir.path}/deploy/manifests/${name}.yaml`);
      assert.deepEqual(objectsOf(manifest).map(({ kind }) => kind), ["ServiceAccount", "DaemonSet"], name);
      assert.match(manifest, /image: ztunnel:1\.0\.0$/m);
    }
  });

  await t.step("the version command names version, revision and Istio's version", async () => {
    await using proxy = new Proxy({}, { executable, args: ["version"] });
    const { code, output } = await proxy.program.ended();
    assert.equal(code, 0, output);
    assert.match(output, /Version:"1\.0\.0", GitRevision:"f00d",.* BuildStatus:"Clean", IstioVersion:"1\.0\.0"/);
    assert.match(output, HAS_CARGO ? /CryptoProvider:"tls-aws-lc"/ : /CryptoProvider:"tls-openssl"/);
  });

  await t.step("it serves, with readiness and metrics that have the version", async () => {
    await using proxy = await Proxy.ready(settings, { executable });
    const ready = await proxy.place("readiness");
    assert.equal((await fetch(`http://${ready.hostname}:${ready.port}/healthz/ready`).then(text)).status, 200);
    const stats = await proxy.place("stats");
    const samples = await scrape(`http://${stats.hostname}:${stats.port}/metrics`);
    assert.equal(sumOf(samples, "istio_build", { component: "ztunnel", tag: VERSION }), 1);
    const library = (await proxy.line(/TLS library in use/)).fields.get("library")!;
    assert.match(library, HAS_CARGO ? /^AWS-LC \d/ : /^OpenSSL 3\.5/);
  });

  await t.step("its FIPS module can be used", async () => {
    const fips = { ...settings, COMPLIANCE_POLICY: "fips-140-3", OPENSSL_CONF: "/etc/ssl/openssl-fips.cnf" };
    await using proxy = await Proxy.ready(fips, { executable });
    assert.match((await proxy.line(/TLS library in use/)).fields.get("library")!, /its FIPS module only$/);
  });

  await t.step("the archive for `docker load` has the same image under its tag", async () => {
    const archive = `${dir.path}/archive`;
    await unpack(`${archive}.tar`, archive);
    const json = (name: string) => JSON.parse(Deno.readTextFileSync(`${archive}/${name}`));
    const [{ Config, RepoTags, Layers }] = json("manifest.json");
    assert.deepEqual(RepoTags, ["ztunnel:lab"]);
    assert.deepEqual(json(Config), image.config);
    assert.deepEqual(Layers.map((name: string) => Deno.readFileSync(`${archive}/${name}`)), image.layers);
  });

  await t.step("it is what the Dockerfile makes", () => {
    const file = dockerfile();
    for (const { config: { config, created } } of images) {
      assert.equal(config.User, file.get("USER"));
      assert.equal(config.WorkingDir, file.get("WORKDIR"));
      assert.deepEqual(config.Entrypoint, JSON.parse(file.get("ENTRYPOINT")!));
      assert.deepEqual(config.Cmd, JSON.parse(file.get("CMD")!));
      const ports = file.get("EXPOSE")!.split(" ").map((port) => `${port}/tcp`);
      assert.deepEqual(Object.keys(config.ExposedPorts), ports);
      assert.deepEqual(config.Env.slice(1), [`ISTIO_META_ISTIO_VERSION=${VERSION}`]);
      const labels = [...file.get("LABEL")!.matchAll(/(\S+?)=("[^"]*"|\S+)/g)].map(([, name]) => name!);
      assert.deepEqual(Object.keys(config.Labels).filter((name) => !name.endsWith(".created")), labels);
      assert.equal(config.Labels["org.opencontainers.image.version"], VERSION);
      assert.equal(created, new Date(TIME * 1000).toISOString().replace(".000", ""));
    }
  });

  await t.step("programs and libraries of each image are for its architecture", async () => {
    // The field e_machine of the ELF header.
    const machines: Readonly<Record<string, number>> = { amd64: 62, arm64: 183 };
    assert.deepEqual(images.map(({ architecture }) => architecture), ["amd64", "arm64"]);
    for (const image of images) {
      using folder = tempDir();
      await unpackImage(image, folder.path);
      const programs = files(folder.path).filter((path) => isElf(path));
      assert.ok(programs.length >= 15, programs.join("\n"));
      for (const path of [...programs, `${release}/ztunnel-${VERSION}-${image.architecture}`]) {
        assert.equal(machineOf(path), machines[image.architecture], path);
      }
    }
  });

  await t.step("its list of components is valid CycloneDX, and is in the image too", async () => {
    for (const { architecture } of images) {
      const components = Deno.readTextFileSync(`${release}/ztunnel-${VERSION}-${architecture}.cdx.json`);
      assert.equal(await validationOf(components), "null");
      const purls = (JSON.parse(components) as { components: { purl: string }[] }).components.map(({ purl }) => purl);
      const wanted = [
        /^pkg:npm\/%40deno\//,
        /^pkg:npm\/%40grpc\/grpc-js@/,
        /^pkg:npm\/preact@/,
        ...HAS_CARGO ? [/^pkg:cargo\/aws-lc-sys@/] : [],
        new RegExp(`/libssl3t64@.*arch=${architecture}&`),
      ];
      for (const pattern of wanted) assert.ok(purls.some((purl) => pattern.test(purl)), `${pattern} in ${purls}`);
      const licenses = Deno.readTextFileSync(`${release}/ztunnel-${VERSION}-${architecture}.licenses.txt`);
      assert.equal(/^AWS-LC \d.*\n=+\n\nAWS Libcrypto/m.test(licenses), HAS_CARGO);
    }
    const inside = Deno.readTextFileSync(`${rootfs}/usr/share/doc/ztunnel/components.cdx.json`);
    assert.equal(inside, Deno.readTextFileSync(`${release}/ztunnel-${VERSION}-${image.architecture}.cdx.json`));
  });
}

Deno.test(plan(missing, NAME, test, Deno.env.get("CI") === "true"));

const text = async (response: Response) => ({ status: response.status, text: await response.text() });

/** What the library of CycloneDX finds wrong, as JSON. */
async function validationOf(components: string): Promise<string> {
  const flags = ["--quiet", "--config", "testkit/cyclonedx/deno.json", "--allow-env", "--allow-read", "--no-check"];
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "testkit/cyclonedx/validate.ts"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = program.stdin.getWriter();
  await input.write(new TextEncoder().encode(components));
  await input.close();
  const { success, stdout, stderr } = await program.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

function files(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory, isFile }) => {
    if (isDirectory) return files(`${folder}/${name}`);
    return isFile ? [`${folder}/${name}`] : [];
  });
}

function start(path: string): Uint8Array {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(20);
  file.readSync(bytes);
  return bytes;
}

const isElf = (path: string): boolean => new TextDecoder().decode(start(path).subarray(1, 4)) === "ELF";
const machineOf = (path: string): number => new DataView(start(path).buffer).getUint16(18, true);
