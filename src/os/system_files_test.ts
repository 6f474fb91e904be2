import { strict as assert } from "node:assert";
import { tempDir } from "../../lab/temp_dir.ts";
import { SystemError } from "./errno.ts";
import {
  canOpenSystemFile,
  countSystemFolder,
  fileIdentity,
  readSystemFile,
  readSystemFolder,
  readSystemLink,
  systemFileExists,
  writeSystemFile,
} from "./system_files.ts";

const output = (program: string, ...args: string[]) =>
  new TextDecoder().decode(new Deno.Command(program, { args }).outputSync().stdout);

Deno.test("system files: texts of any length, links and names are read as the runtime reads them", () => {
  using dir = tempDir();
  const text = "ä€".repeat(50_000);
  assert.equal(readSystemFile(dir.write("long", text)), text);
  assert.equal(readSystemFile(dir.write("empty", "")), "");
  assert.equal(readSystemFile(dir.write("longer", "x".repeat(200_000)), 100_000).length, 131_072);
  assert.equal(readSystemFile("/proc/self/limits"), output("cat", "/proc/self/limits"));
  assert.equal(readSystemLink("/proc/self/ns/pid"), output("readlink", "-n", "/proc/self/ns/pid"));
  for (let i = 0; i < 3000; i++) dir.write(`a-name-that-is-not-short-${i}`, "");
  assert.equal(countSystemFolder(dir.path), 3003);
  assert.deepEqual(readSystemFolder(dir.path).sort(), [...Deno.readDirSync(dir.path)].map(({ name }) => name).sort());
});

Deno.test("system files: what is written is what is read", () => {
  using dir = tempDir();
  const file = dir.write("file", "before");
  writeSystemFile(file, "after ");
  assert.equal(Deno.readTextFileSync(file), "after ");
});

Deno.test("system files: an identity is that of the file, whichever path leads to it", () => {
  using dir = tempDir();
  const [a, b] = [dir.write("a", ""), dir.write("b", "")];
  Deno.symlinkSync(a, `${dir.path}/link`);
  assert.equal(fileIdentity(a), fileIdentity(`${dir.path}/link`));
  assert.notEqual(fileIdentity(a), fileIdentity(b));
  assert.deepEqual([a, `${dir.path}/none`].map(systemFileExists), [true, false]);
  assert.match(fileIdentity(a), new RegExp(`^\\d+:${Deno.statSync(a).ino}$`));
  assert.deepEqual([a, "/dev/null", "/nowhere"].map(canOpenSystemFile), [true, true, false]);
  assert.equal(fileIdentity(0), fileIdentity("/proc/self/fd/0"));
});

Deno.test("system files: an error names the file and the reason", () => {
  for (const read of [readSystemFile, readSystemLink, countSystemFolder, readSystemFolder, fileIdentity]) {
    assert.throws(() => read("/nowhere"), (error) => error instanceof SystemError && error.code === "ENOENT");
  }
  assert.throws(() => readSystemFile("/nowhere"), /^SystemError: open \/nowhere: No such file or directory/);
  assert.throws(() => writeSystemFile("/nowhere", ""), /^SystemError: open \/nowhere: No such file or directory/);
  assert.throws(() => readSystemFile("/proc"), /read \/proc: Is a directory/);
});
