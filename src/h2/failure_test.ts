import { strict as assert } from "node:assert";
import { goAwayFailure, reasonText } from "./failure.ts";
import { ErrorCode } from "./seam.ts";

Deno.test("dataplane 2.6: every code has a reason text", () => {
  for (let code = 0; code <= 13; code++) assert.notEqual(reasonText(code), "unknown reason");
  assert.equal(reasonText(ErrorCode.CANCEL), "stream no longer needed");
  assert.equal(reasonText(99 as ErrorCode), "unknown reason");
});

Deno.test("debug text of a GOAWAY is quoted, bounded and cannot forge a line", () => {
  const text = (debug: string) => {
    const bytes = new TextEncoder().encode(debug);
    return goAwayFailure(ErrorCode.ENHANCE_YOUR_CALM, bytes, 0, bytes.length).reason;
  };
  assert.equal(text(""), "detected excessive load generating behavior");
  assert.equal(text('too_many "\n\u0000\u00e9'), 'detected excessive load generating behavior: "too_many ?????"');
  assert.equal(text("x".repeat(5000)).length, 'detected excessive load generating behavior: ""...'.length + 128);
});
