import { strict as assert } from "node:assert";
import { parseBlock } from "./values.ts";

Deno.test("istio policies: addresses and blocks, as Go's netip reads them", () => {
  const blocks = {
    "10.1.2.3": "10.1.2.3/32",
    "10.1.2.3/8": "10.1.2.3/8",
    "FD00::A/16": "fd00::a/16",
    "::10.1.2.3": "::a01:203/128",
    "::ffff:10.1.2.3": "::ffff:10.1.2.3/128",
    "::ffff:a01:203/104": "::ffff:10.1.2.3/104",
    "fe80::1%eth0": "fe80::1/128",
    "1:2:3:4:5:6:7:8": "1:2:3:4:5:6:7:8/128",
  };
  for (const [text, block] of Object.entries(blocks)) assert.equal(parseBlock(text), block, text);
  const wrong = [
    ...[
      "",
      "10.0.0.0/33",
      "10.0.0.1/08",
      "010.0.0.1",
      "1.2.3",
      "10.0.0.0/",
      "10.0.0.1%eth0",
      "fe80::1%",
      "fe80::1%a/64",
    ],
    ...["::1::2", "1:2:3:4:5:6:7::8", "00001::", "1:2:3", "::1/129", "::1.2.3", "x", "::g", "10.0.0.1/-1"],
  ];
  for (const text of wrong) assert.equal(parseBlock(text), null, text);
});
