import { strict as assert } from "node:assert";
import { openRarely } from "./rare_functions.ts";

const { toupper, getpid, no_such_function } = openRarely("libc.so.6", {
  toupper: { parameters: ["i32"], result: "i32" },
  getpid: { parameters: [], result: "i32" },
  no_such_function: { parameters: [], result: "i32", optional: true },
});

Deno.test("a rare function takes its arguments and gives its result", () => {
  assert.equal(toupper(0x61), 0x41);
  assert.equal(getpid(), Deno.pid);
});

/** Opened while the file loads, since a library that lacks a function stays open. */
const refusal = (() => {
  try {
    openRarely("libc.so.6", { no_such_function: { parameters: [], result: "i32" } });
    return "";
  } catch (error) {
    return String(error);
  }
})();

Deno.test("a function that is missing is null where it is optional, else an error that names it", () => {
  assert.equal(no_such_function, null);
  assert.match(refusal, /no_such_function/);
});
