/**
 * Lint rules that keep the rooms of the project apart (`docs/architecture.md`, "Rooms"). `deno lint` runs them, so an
 * editor shows them too.
 *
 * | rule              | says                                                                     |
 * | ----------------- | ------------------------------------------------------------------------ |
 * | `rooms/known`     | a file stands in a room of `places.ts`                                   |
 * | `rooms/direction` | imports go down or stay; product code imports no tests, kits or tools    |
 * | `rooms/ffi`       | pointers and foreign calls stay in `os/`                                 |
 * | `rooms/pointer`   | addresses of our own memory are taken in `os/pointers.ts`                |
 * | `rooms/clock`     | rooms that speak a protocol or decide take the time as a parameter       |
 * | `rooms/size`      | one file, one idea: at most {@link MAX_LINES} lines unless generated     |
 *
 * As every arrow goes down, files of different rooms cannot form a cycle.
 */

import { type Place, placeOf, refusal, type Room } from "./places.ts";

export const MAX_LINES = 400;

/** Rooms whose code must behave the same under virtual time. */
const CLOCKLESS: ReadonlySet<Room> = new Set<Room>(["h2", "mesh"]);
const CLOCKS: ReadonlySet<string> = new Set(["Date.now", "performance.now", "Temporal.Now"]);
const TIMERS: ReadonlySet<string> = new Set(["setTimeout", "setInterval", "setImmediate"]);
const FFI = /^Deno\.(dlopen|Unsafe\w+|Pointer(Object|Value)|NativeType|ForeignFunction)$/;

/** The only file that takes addresses, and those that may use them as numbers and keep the memory alive themselves. */
const POINTER_FILE = "src/os/pointers.ts";
const ADDRESS_FILES: ReadonlySet<string> = new Set(["src/os/iovec.ts", "src/os/datagrams.ts"]);

const ROOT = new URL("../../", import.meta.url).href;

function pathOf(fileName: string): string | null {
  const url = fileName.startsWith("/") ? `file://${fileName}` : new URL(fileName, ROOT).href;
  return url.startsWith(ROOT) ? decodeURI(url.slice(ROOT.length)) : null;
}

type Context = Deno.lint.RuleContext;
type Checker = (path: string, place: Place, context: Context) => Deno.lint.LintVisitor;

/** A rule that sees only files of this project, with their place worked out. */
function rule(check: Checker): Deno.lint.Rule {
  return {
    create(context) {
      const path = pathOf(context.filename);
      return path === null ? {} : check(path, placeOf(path), context);
    },
  };
}

/** `Deno.dlopen` for the member expression of that meaning; "" for what is computed. */
function dotted(left: Deno.lint.Node, right: Deno.lint.Node): string {
  return left.type === "Identifier" && right.type === "Identifier" ? `${left.name}.${right.name}` : "";
}

const known = rule((_path, place, context) => ({
  Program() {
    if (place.kind !== "stray") return;
    const message =
      `Unknown room "${place.folder}": add it to ROOMS in tools/lint/places.ts, where it belongs in the order`;
    context.report({ range: [0, 0], message });
  },
}));

const direction = rule((path, _place, context) => {
  const look = (node: Deno.lint.Node, source: Deno.lint.Node | null | undefined) => {
    if (source?.type !== "Literal" || typeof source.value !== "string" || !source.value.startsWith(".")) return;
    const target = pathOf(new URL(source.value, new URL(path, ROOT)).pathname);
    const message = target === null ? "Import from outside the project" : refusal(path, target);
    if (message !== null) context.report({ node, message });
  };
  return {
    ImportDeclaration: (node) => look(node, node.source),
    ExportNamedDeclaration: (node) => look(node, node.source),
    ExportAllDeclaration: (node) => look(node, node.source),
    ImportExpression: (node) => look(node, node.source),
    TSImportType(node) {
      const argument: Deno.lint.Node = node.argument;
      look(node, argument.type === "TSLiteralType" ? argument.literal : argument);
    },
  };
});

const ffi = rule((_path, place, context) => {
  if (place.kind !== "room" || place.room === "os") return {};
  const look = (node: Deno.lint.Node, name: string) => {
    if (FFI.test(name)) context.report({ node, message: `${name} belongs into src/os/, the only room with pointers` });
  };
  return {
    MemberExpression: (node) => look(node, dotted(node.object, node.property)),
    TSQualifiedName: (node) => look(node, dotted(node.left, node.right)),
  };
});

/** An address does not keep its memory alive: `os/pointers.ts` has functions that do. */
const pointer = rule((path, _place, context) => {
  if (path === POINTER_FILE) return {};
  return {
    MemberExpression(node) {
      const { object, property } = node;
      if (property.type !== "Identifier" || property.name !== "of" || object.type !== "MemberExpression") return;
      if (dotted(object.object, object.property) !== "Deno.UnsafePointer") return;
      const message =
        `The memory behind this pointer may go away: use withPointer, pointerTo or pointAt of ${POINTER_FILE}`;
      context.report({ node, message });
    },
    ImportSpecifier(node) {
      if (node.imported.type !== "Identifier" || node.imported.name !== "addressOf" || ADDRESS_FILES.has(path)) return;
      const message =
        `An address as a number keeps nothing alive: use withPointer, pointerTo or pointAt of ${POINTER_FILE}`;
      context.report({ node, message });
    },
  };
});

const clock = rule((_path, place, context) => {
  if (place.kind !== "room" || place.test || !CLOCKLESS.has(place.room)) return {};
  const complain = (node: Deno.lint.Node, what: string) =>
    context.report({ node, message: `${what} in room "${place.room}": take the time as a parameter instead` });
  return {
    MemberExpression(node) {
      const name = dotted(node.object, node.property);
      if (CLOCKS.has(name)) complain(node, name);
    },
    NewExpression(node) {
      if (node.arguments.length === 0 && node.callee.type === "Identifier" && node.callee.name === "Date") {
        complain(node, "new Date()");
      }
    },
    CallExpression(node) {
      if (node.callee.type === "Identifier" && TIMERS.has(node.callee.name)) complain(node, node.callee.name);
    },
  };
});

const size = rule((_path, place, context) => ({
  Program() {
    const text = context.sourceCode.text;
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (lines <= MAX_LINES || place.kind === "generated") return;
    context.report({ range: [0, 0], message: `${lines} lines, at most ${MAX_LINES}: split the file by ideas` });
  },
}));

const plugin: Deno.lint.Plugin = { name: "rooms", rules: { known, direction, ffi, pointer, clock, size } };
export default plugin;
