import { strict as assert } from "node:assert";
import { run } from "../../lab/program.ts";
import { tempDir } from "../../lab/temp_dir.ts";
import * as c from "./constants.ts";
import { cString } from "./libc.ts";
import { libc } from "./libc_sockets.ts";
import { OwnedDescriptor } from "./owned_descriptor.ts";
import { openOutput, type Output, writeOutput } from "./standard_output.ts";

const PAGE = new Uint8Array(4096).fill(46);
const O_RDWR = 2, F_GETFL = 3;

/** Writes pages until nothing is taken; returns the bytes written. */
function fill(output: Output): number {
  let sum = 0;
  for (let taken; (taken = writeOutput(output, PAGE)) > 0;) sum += taken;
  return sum;
}

function capacity({ fd }: OwnedDescriptor): number {
  return libc.fcntl(fd, c.F_GETPIPE_SZ, 0);
}

/** Both ends of a pipe as one blocking descriptor. */
async function openPipe(folder: string): Promise<OwnedDescriptor> {
  await run("mkfifo", `${folder}/pipe`);
  return new OwnedDescriptor(libc.open(cString(`${folder}/pipe`), O_RDWR, 0));
}

Deno.test("standard output: a pipe without a reader takes what it can hold, and then nothing", async () => {
  using folder = tempDir();
  using pipe = await openPipe(folder.path);
  const output = openOutput(pipe.fd);
  using own = new OwnedDescriptor(output.fd);
  assert.equal(output.how, "own");
  assert.equal(fill(output), capacity(pipe));
  assert.equal(libc.fcntl(pipe.fd, F_GETFL, 0) & c.O_NONBLOCK, 0, "the shared descriptor is unchanged");
  libc.read(pipe.fd, new Uint8Array(4096), 4096);
  assert.equal(fill(output), 4096);
  assert.notEqual(own.fd, pipe.fd);
});

Deno.test("standard output: a pipe that cannot be opened again is polled before each write", async () => {
  using folder = tempDir();
  using pipe = await openPipe(folder.path);
  const output: Output = { how: "poll-first", fd: pipe.fd };
  assert.equal(writeOutput(output, new Uint8Array(10_000)), 4096);
  assert.equal(fill(output), capacity(pipe) - 4096);
});

Deno.test("standard output: a socket that nothing reads from takes what it can hold, and then nothing", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  using socket = new OwnedDescriptor(libc.socket(c.AF_INET, c.SOCK_STREAM, 0));
  const address = Uint8Array.of(c.AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.equal(libc.connect(socket.fd, address, address.length), 0);
  using _accepted = await listener.accept();
  const output = openOutput(socket.fd);
  assert.equal(output.how, "socket");
  assert.ok(fill(output) > 4096);
});

Deno.test("standard output: a file takes all", () => {
  using folder = tempDir();
  const path = `${folder.path}/log`;
  Deno.writeTextFileSync(path, "");
  using file = new OwnedDescriptor(libc.open(cString(path), c.O_WRONLY, 0));
  const output = openOutput(file.fd);
  assert.deepEqual(output, { how: "file", fd: file.fd });
  assert.equal(writeOutput(output, PAGE), 4096);
  assert.equal(Deno.statSync(path).size, 4096);
});

Deno.test("standard output: a write after the reader has closed its end throws an error that says so", async () => {
  using folder = tempDir();
  using pipe = await openPipe(folder.path);
  using writeEnd = new OwnedDescriptor(libc.open(cString(`${folder.path}/pipe`), c.O_WRONLY, 0));
  const output = openOutput(writeEnd.fd);
  using _own = new OwnedDescriptor(output.fd);
  pipe.close();
  assert.throws(() => writeOutput(output, PAGE), { code: "EPIPE" });
});
