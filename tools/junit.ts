/** Reads the JUnit report of `deno test`: which tests ran, and how each one went. */

export interface TestCase {
  readonly file: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

/**
 * The test cases of a report. A step (`t.step`) belongs to its test and is not counted: the report lists it as a case
 * of its own, named `test > step`.
 */
export function parseJunit(xml: string): TestCase[] {
  const cases: TestCase[] = [];
  for (const [, attributes = "", body = ""] of xml.matchAll(/<testcase\s([^>]*)>([\s\S]*?)<\/testcase>/g)) {
    const file = attribute(attributes, "classname");
    const name = attribute(attributes, "name");
    // Failure texts are escaped, so these tags cannot come from a message.
    const outcome = body.includes("<failure") ? "failed" : body.includes("<skipped") ? "skipped" : "passed";
    cases.push({ file, name, outcome });
  }
  const tests = new Set(cases.map(key));
  return cases.filter((one) => !isStep(one, tests));
}

function key(one: { file: string; name: string }): string {
  return `${one.file}\n${one.name}`;
}

function isStep(one: TestCase, tests: ReadonlySet<string>): boolean {
  for (let at = one.name.indexOf(" > "); at >= 0; at = one.name.indexOf(" > ", at + 1)) {
    if (tests.has(key({ file: one.file, name: one.name.slice(0, at) }))) return true;
  }
  return false;
}

function attribute(attributes: string, name: string): string {
  const found = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes);
  return unescape(found?.[1] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    return ENTITIES[name] ?? whole;
  });
}
