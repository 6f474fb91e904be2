/** A real OpenTelemetry collector (`tests/peers/otelcol`) and what it has received. */
import { BuiltPeer } from "../lab/istio/built_peer.ts";
import { plan } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";

const OTELCOL = new BuiltPeer("otelcol");

/** Attributes by name, as OTLP's JSON has the values. */
type CollectedAttributes = Readonly<Record<string, unknown>>;

/** A log record or a span. */
export interface Collected {
  readonly kind: "log" | "span";
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: CollectedAttributes;
  readonly resource: CollectedAttributes;
}

/** Paths of PEM files. */
interface CollectorFiles {
  readonly certificate: string;
  readonly key: string;
  /** The authorities of clients, which must show a certificate then. */
  readonly clientAuthorities?: string;
}

/** A running collector. */
export class OtelCollector implements AsyncDisposable {
  readonly #program: Program;
  readonly #scheme: string;
  readonly #collected: Collected[] = [];
  #address = "";

  private constructor(files: CollectorFiles | null) {
    const args = files === null ? [] : ["--cert", files.certificate, "--key", files.key];
    if (files?.clientAuthorities !== undefined) args.push("--client-ca", files.clientAuthorities);
    this.#scheme = files === null ? "http" : "https";
    this.#program = new Program(OTELCOL.path, { args });
    this.#program.watch((line) => this.#read(line));
  }

  /** With TLS; null: plain HTTP. */
  static async start(files: CollectorFiles | null = null): Promise<OtelCollector> {
    const collector = new OtelCollector(files);
    const [, address] = await collector.#program.line(/^\{"listening":"(.*)"\}$/);
    collector.#address = address!;
    return collector;
  }

  get url(): string {
    return `${this.#scheme}://${this.#address}`;
  }

  /** Resolves with all records so far once `isWhole` is true of them. */
  async records(isWhole: (all: readonly Collected[]) => boolean): Promise<readonly Collected[]> {
    for (let batches = 1; !isWhole(this.#collected); batches++) {
      await this.#program.matches(/^\{"(logs|traces)":/, batches);
    }
    return this.#collected;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
  }

  #read(line: string): void {
    if (!/^\{"(logs|traces)":/.test(line)) return;
    const { logs, traces } = JSON.parse(line);
    for (const { resource, scopeLogs } of logs?.resourceLogs ?? []) {
      for (const { logRecords } of scopeLogs) {
        for (const record of logRecords) this.#add("log", record.body.stringValue, record, resource);
      }
    }
    for (const { resource, scopeSpans } of traces?.resourceSpans ?? []) {
      for (const { spans } of scopeSpans) for (const span of spans) this.#add("span", span.name, span, resource);
    }
  }

  // deno-lint-ignore no-explicit-any -- OTLP's JSON
  #add(kind: Collected["kind"], name: string, { traceId, spanId, parentSpanId = "", attributes }: any, resource: any) {
    const read = (list: readonly { key: string; value: Record<string, unknown> }[]) =>
      Object.fromEntries((list ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));
    this.#collected.push({
      kind,
      name,
      traceId,
      spanId,
      parentSpanId,
      attributes: read(attributes),
      resource: read(resource.attributes),
    });
  }
}

/** Registers a test that needs the collector, which `deno task interop:otelcol` builds. */
export function testWithCollector(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test(plan(OTELCOL.lacks(), name, fn, Deno.env.get("CI") === "true"));
}
