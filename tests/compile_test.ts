/** `compile.sh`: each form of the product contains packages, workers and the TLS library. */
import { strict as assert } from "node:assert";
import { testNeeding } from "../lab/needs.ts";
import { Program, run } from "../lab/program.ts";
import { tempDir } from "../lab/temp_dir.ts";

const SCRIPT = new URL("../compile.sh", import.meta.url).pathname;
const NEEDS = { packages: ["cc"], headers: ["/usr/include/zlib.h"] } as const;
const SAID = "worker ::ffff:a00:1; library libssl.so; arguments version,a b; blue; 1.2.3 aws-lc";

async function compile(form: string, out: string, library: string): Promise<void> {
  const args = ["-f", form, "-o", out, "-e", "tests/fixtures/compiled_main.ts"];
  const { code, output } = await ended(args, { BUNDLED_TLS_LIBRARY: library, VERSION: "1.2.3" });
  assert.equal(code, 0, output);
}

async function ended(args: readonly string[], env: Readonly<Record<string, string>>) {
  await using compiler = new Program(SCRIPT, { args: [...args], env: { ...Deno.env.toObject(), ...env } });
  return await compiler.ended();
}

for (const [form, executable] of [["unpack", ""], ["folder", "/ztunnel"]] as const) {
  testNeeding(NEEDS, `compile: the form "${form}" runs alone, away from the sources`, async () => {
    using dir = tempDir();
    const library = dir.write("some_library.so", "never loaded here, AWS-LC");
    await compile(form, `${dir.path}/out`, library);
    for (const _start of ["first", "second"]) {
      const env = { ZTUNNEL_UNPACK_DIR: `${dir.path}/unpacked`, "XDS_HEADER_x-tenant": "blue" };
      const options = { args: ["version", "a b"], env, cwd: "/" };
      await using program = new Program(`${dir.path}/out${executable}`, options);
      assert.deepEqual(await program.ended(), { code: 5, signal: null, output: SAID });
    }
  });
}

testNeeding(
  NEEDS,
  "compile: JavaScript is ASCII, and no dynamic import makes the runtime read a file before it is needed",
  async () => {
    using dir = tempDir();
    await compile("folder", `${dir.path}/out`, "none");
    const scripts = [...Deno.readDirSync(`${dir.path}/out`)].map(({ name }) => name).filter((name) =>
      name.endsWith(".js")
    );
    const texts = scripts.map((name) => Deno.readTextFileSync(`${dir.path}/out/${name}`));
    assert.ok(texts.some((text) => text.includes('import(import.meta.resolve("./')));
    for (const text of texts) {
      assert.doesNotMatch(text, /import\("/);
      assert.doesNotMatch(text, /\P{ASCII}/u);
    }
  },
);

testNeeding(
  NEEDS,
  "compile: the TLS library is AWS-LC where it was built, else OpenSSL, or the one that is named",
  async () => {
    using dir = tempDir();
    for (const folder of ["ztunnel-build", "script"]) Deno.mkdirSync(`${dir.path}/${folder}`);
    dir.write("script/ztunnel.js", "");
    const out = `${dir.path}/out`;
    const made = (named: string) => {
      const env = { BUNDLED_TLS_LIBRARY: named, XDG_CACHE_HOME: dir.path, DENO_DIR: denoDir() };
      return ended(["-f", "folder", "-o", out, "-b", `${dir.path}/script`], env);
    };
    assert.match((await made("")).output, /no TLS library built in; tools\/build_aws_lc\.sh makes one/);
    assert.throws(() => Deno.readTextFileSync(`${out}/libssl.so`), Deno.errors.NotFound);
    for (const name of ["libopenssl35.so", "libaws-lc.so"]) {
      dir.write(`ztunnel-build/${name}`, name);
      assert.equal((await made("")).code, 0);
      assert.equal(Deno.readTextFileSync(`${out}/libssl.so`), name);
    }
    assert.match((await made("/nowhere/libssl.so")).output, /cannot stat '\/nowhere\/libssl\.so'/);
  },
);

Deno.test("compile: an unknown form is refused", async () => {
  await assert.rejects(run(SCRIPT, "-f", "compile"), /-f "compile" must be unpack or folder/);
});

Deno.test("compile: a runtime with another digest than that in the repository is refused before it is used", async () => {
  using dir = tempDir();
  const script = dir.write("compile.sh", Deno.readTextFileSync(SCRIPT));
  Deno.chmodSync(script, 0o755);
  Deno.mkdirSync(`${dir.path}/tools`);
  dir.write("tools/runtime.sha256", `${"0".repeat(64)}  x86_64\n${"0".repeat(64)}  aarch64\n`);
  await using compiler = new Program(script, { env: Deno.env.toObject() });
  const { code, output } = await compiler.ended();
  assert.equal(code, 1);
  assert.match(output, /the runtime deno 2\.9\.6 for \S+ has SHA-256 [0-9a-f]{64}, and must have 0{64}/);
  assert.equal([...Deno.readDirSync(`${dir.path}/dist`)].length, 0);
});

/** Where the runtime keeps what it has downloaded. */
function denoDir(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  return Deno.env.get("DENO_DIR") ?? `${base}/deno`;
}
