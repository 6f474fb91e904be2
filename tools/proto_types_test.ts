import { strict as assert } from "node:assert";
import { declarations, type NamespaceJson, withoutUnused } from "./proto_types.ts";

function typesOf(nested: NamespaceJson["nested"]): string[] {
  const [first, blank, ...lines] = declarations({ nested: { pkg: { nested: nested ?? {} } } }, "../codec.d.ts")
    .trimEnd().split("\n");
  assert.deepEqual([first, blank], ['import type { Codec } from "../codec.d.ts";', ""]);
  return lines;
}

Deno.test("a message becomes a read-only interface and a codec", () => {
  const fields = {
    text: { type: "string" },
    raw: { type: "bytes" },
    big: { type: "int64" },
    many: { type: "string", rule: "repeated" },
    labels: { type: "string", keyType: "string" },
    maybe: { type: "uint32", options: { proto3_optional: true } },
  } as const;
  const oneofs = { _maybe: { oneof: ["maybe"] } };
  assert.deepEqual(typesOf({ Pod: { fields, oneofs } }), [
    "export namespace pkg {",
    "  export interface Pod {",
    "    readonly text: string;",
    "    readonly raw: Uint8Array;",
    "    readonly big: number;",
    "    readonly many: readonly string[];",
    "    readonly labels: { readonly [key: string]: string };",
    "    readonly maybe: number | null;",
    "  }",
    "  export const Pod: Codec<Pod>;",
    "}",
  ]);
});

Deno.test("alternatives can be null, and the name of the one that is set is a property", () => {
  const fields = { a: { type: "string" }, b: { type: "Other" } };
  const lines = typesOf({ Choice: { fields, oneofs: { kind: { oneof: ["a", "b"] } } }, Other: { fields: {} } });
  assert.deepEqual(lines.slice(2, 5), [
    "    readonly a: string | null;",
    "    readonly b: pkg.Other | null;",
    '    readonly kind?: "a" | "b";',
  ]);
});

Deno.test("a message with types of its own is a namespace; the innermost type of a name is meant", () => {
  const inner = { Mode: { values: { OFF: 0, ON: 1 } } };
  const lines = typesOf({ Outer: { fields: { mode: { type: "Mode" } }, nested: inner }, Mode: { values: { NO: 0 } } });
  assert.deepEqual(lines, [
    "export namespace pkg {",
    "  export interface Outer {",
    "    readonly mode: pkg.Outer.Mode;",
    "  }",
    "  export namespace Outer {",
    '    export const encode: Codec<Outer>["encode"];',
    '    export const decode: Codec<Outer>["decode"];',
    "    export enum Mode {",
    "      OFF = 0,",
    "      ON = 1,",
    "    }",
    "  }",
    "  export enum Mode {",
    "    NO = 0,",
    "  }",
    "}",
  ]);
});

Deno.test("an unknown type is an error that names it", () => {
  assert.throws(() => typesOf({ Pod: { fields: { node: { type: "Node" } } } }), /unknown type Node in \.pkg\.Pod/);
});

Deno.test("well-known types that nobody names are left out", () => {
  const protobuf = { nested: { Any: { fields: {} }, Int64Value: { fields: {} } } };
  const app = { nested: { Pod: { fields: { config: { type: "google.protobuf.Any" } } } } };
  const kept = withoutUnused({ nested: { google: { nested: { protobuf } }, app } });
  assert.deepEqual(Object.keys(kept.nested?.["google"]?.nested?.["protobuf"]?.nested ?? {}), ["Any"]);
  assert.deepEqual(kept.nested?.["app"], app);
});
