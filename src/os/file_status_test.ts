import { strict as assert } from "node:assert";
import { fileStatus, isWritable } from "./file_status.ts";
import { SystemError } from "./errno.ts";

Deno.test("the status of a file: its permissions, and whether it is a socket", () => {
  const path = Deno.makeTempFileSync();
  const socket = `${path}.sock`;
  const listener = Deno.listen({ transport: "unix", path: socket });
  try {
    Deno.chmodSync(path, 0o640);
    assert.deepEqual(fileStatus(path), { isSocket: false, permissions: 0o640 });
    assert.equal(fileStatus(socket).isSocket, true);
    assert.deepEqual([isWritable(path), isWritable(socket), isWritable("/nowhere")], [true, true, false]);
    assert.throws(() => fileStatus("/nowhere"), (error) => error instanceof SystemError && error.code === "ENOENT");
  } finally {
    listener.close();
    Deno.removeSync(path);
  }
});
