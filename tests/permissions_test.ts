/** Starts the program without one of its flags: its first line must name the missing flag. */
import { strict as assert } from "node:assert";
import { inheritedEnvironment } from "../lab/environment.ts";
import { Program } from "../lab/program.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { productFlags } from "../lab/product_flags.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** The output of a start without the flags that match. */
async function without(flags: RegExp, settings: Record<string, string>): Promise<string> {
  const left = productFlags(settings).filter((flag) => !flags.test(flag));
  assert.notDeepEqual(left, productFlags(settings), `no flag is like ${flags}`);
  const env = { ...inheritedEnvironment(), ...settings };
  await using program = new Program(Deno.execPath(), { args: ["run", ...left, "main.ts"], env, cwd: ROOT });
  const { code, output } = await program.ended();
  assert.equal(code, 1, output);
  return output;
}

Deno.test("permissions: each missing flag is reported before anything else", async () => {
  using dir = tempDir();
  const settings = {
    LOCAL_XDS_PATH: `${dir.path}/mesh.yaml`,
    LOCAL_CA_CERT: `${dir.path}/ca.pem`,
    LOCAL_CA_KEY: `${dir.path}/ca.key`,
  };
  assert.match(await without(/^--allow-env/, settings), /^Error: permission --allow-env is missing: the configuration/);
  assert.match(await without(/^--allow-ffi/, settings), /^Error: permission --allow-ffi is missing: libc and the TLS/);
  assert.match(await without(/^--allow-net/, settings), /^Error: permission --allow-net is missing: the control plane/);
  assert.match(
    await without(/^--allow-sys/, settings),
    /^Error: permission --allow-sys is missing: profiles/,
  );
  const write = `^Error: permission --allow-write=${dir.path} is missing`;
  assert.match(await without(/^--allow-write/, settings), new RegExp(write));
});

Deno.test("permissions: a file that is named by a setting but not by a flag is reported with the flag", async () => {
  const flags = productFlags({});
  const env = { ...inheritedEnvironment(), CRL_PATH: "/some/list.pem" };
  await using program = new Program(Deno.execPath(), { args: ["run", ...flags, "main.ts"], env, cwd: ROOT });
  const { code, output } = await program.ended();
  const said =
    "Error: permission --allow-read=/some/list.pem is missing: these paths are always read or named by settings";
  assert.deepEqual({ code, output }, { code: 1, output: said });
});
