import { strict as assert } from "node:assert";
import * as e from "./errno.ts";

Deno.test("inpod C3: numbers have the usual names and texts", () => {
  assert.equal(e.errnoName(e.ECONNRESET), "ECONNRESET");
  assert.equal(e.errnoText(e.ECONNRESET), "Connection reset by peer (os error 104)");
  assert.equal(e.errnoName(e.EMFILE), "EMFILE");
  assert.equal(e.errnoText(99), "Cannot assign requested address (os error 99)");
  assert.equal(e.errnoName(250), "E250");
  assert.equal(e.errnoText(250), "Unknown error (os error 250)");
});

Deno.test("every constant has the name of its number", () => {
  for (const [name, number] of Object.entries(e)) {
    if (typeof number === "number") assert.equal(e.errnoName(number), name);
  }
});

Deno.test("a SystemError names the call, the reason and a stable code", () => {
  const error = new e.SystemError("setns", e.EPERM);
  assert.equal(error.message, "setns: Operation not permitted (os error 1)");
  assert.equal(error.code, "EPERM");
  assert.equal(error.number, 1);
});
