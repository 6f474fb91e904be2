import { strict as assert } from "node:assert";
import { configOf, lines, machine } from "../testkit/machine.ts";
import { checkCapabilities } from "./capabilities.ts";

const DEDICATED = { PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO: "a/b/c" };
const NET_ADMIN = 1n << 12n, NET_RAW = 1n << 13n, SYS_ADMIN = 1n << 21n;

const CASES:
  readonly (readonly [what: string, Record<string, string>, capabilities: bigint | null, found: RegExp[]])[] = [
    ["shared mode with all of them", {}, SYS_ADMIN | NET_ADMIN | NET_RAW, [/^ok /]],
    ["shared mode with NET_RAW for the mark", {}, SYS_ADMIN | NET_RAW, [/^ok /]],
    ["shared mode without SYS_ADMIN", {}, NET_ADMIN, [/^problem .*SYS_ADMIN is missing: .*cure: add it/]],
    ["shared mode without any", {}, 0n, [/SYS_ADMIN is missing/, /NET_ADMIN or NET_RAW is missing: .* mark 1337/]],
    ["dedicated mode without any", DEDICATED, 0n, [/^note .*applications see the address of the proxy/]],
    ["dedicated mode, ENABLE_ORIG_SRC=true", { ...DEDICATED, ENABLE_ORIG_SRC: "true" }, 0n, [/unset ENABLE_ORIG_SRC/]],
    ["dedicated mode, ENABLE_ORIG_SRC=false", { ...DEDICATED, ENABLE_ORIG_SRC: "false" }, 0n, [/^ok /]],
    ["dedicated mode, PACKET_MARK", { ...DEDICATED, PACKET_MARK: "7" }, 0n, [/mark 7; cure: .* unset PACKET_MARK/]],
    ["not known", {}, null, [/^note /]],
  ];
for (const [what, variables, capabilities, found] of CASES) {
  Deno.test(`check: capabilities, ${what}`, () => {
    const said = lines(checkCapabilities(configOf(variables), machine({ capabilities })));
    assert.equal(said.length, found.length, said.join("\n"));
    found.forEach((pattern, index) => assert.match(said[index]!, pattern));
  });
}
