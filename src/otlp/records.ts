/** Connections that have ended as log records and spans of OpenTelemetry. This file loads its packages. */
import { SeverityNumber, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { ProtobufLogsSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { FlowEvent } from "../telemetry/flow.ts";
import { attributesOf } from "./attributes.ts";
import type { Encoded } from "./batch_sender.ts";

/** A connection that has ended, with its span. */
export interface EndedFlow {
  readonly event: FlowEvent;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

type LogRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];
type Span = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];
type Time = LogRecord["hrTime"];

/** Makes the bodies of requests. `resource`: the attributes of this proxy. */
export class OtlpRecords {
  readonly #common: Pick<LogRecord & Span, "resource" | "instrumentationScope" | "droppedAttributesCount">;

  constructor(resource: Readonly<Record<string, string>>, version: string) {
    this.#common = {
      resource: resourceFromAttributes(resource),
      // One object for all: records are grouped by it.
      instrumentationScope: { name: "ztunnel", version },
      droppedAttributesCount: 0,
    };
  }

  logs(flows: readonly EndedFlow[]): Encoded {
    const body = ProtobufLogsSerializer.serializeRequest(flows.map((flow) => this.#log(flow)));
    return {
      body: body ?? new Uint8Array(),
      rejectedIn: (answer) => {
        const partial = ProtobufLogsSerializer.deserializeResponse(answer)?.partialSuccess;
        return { count: Number(partial?.rejectedLogRecords ?? 0), message: partial?.errorMessage ?? "" };
      },
    };
  }

  spans(flows: readonly EndedFlow[]): Encoded {
    const body = ProtobufTraceSerializer.serializeRequest(flows.map((flow) => this.#span(flow)));
    return {
      body: body ?? new Uint8Array(),
      rejectedIn: (answer) => {
        const partial = ProtobufTraceSerializer.deserializeResponse(answer)?.partialSuccess;
        return { count: Number(partial?.rejectedSpans ?? 0), message: partial?.errorMessage ?? "" };
      },
    };
  }

  #log(flow: EndedFlow): LogRecord {
    const { event } = flow;
    const isRefused = event.event === "refused";
    const time = timeOf(Date.parse(event.time));
    const severity = event.error === null ? "INFO" : isRefused ? "WARN" : "ERROR";
    return {
      ...this.#common,
      hrTime: time,
      hrTimeObserved: time,
      severityNumber: SeverityNumber[severity],
      severityText: severity,
      body: isRefused ? "connection failed" : "connection complete",
      eventName: isRefused ? "ztunnel.connection.failed" : "ztunnel.connection.complete",
      attributes: attributesOf(event),
      spanContext: contextOf(flow),
    };
  }

  #span(flow: EndedFlow): Span {
    const { event } = flow;
    const end = Date.parse(event.time), start = end - event.age;
    const parent = event.span?.parent ?? null;
    return {
      ...this.#common,
      name: event.direction,
      kind: event.direction === "outbound" ? SpanKind.CLIENT : SpanKind.SERVER,
      spanContext: () => contextOf(flow),
      ...(parent === null ? {} : { parentSpanContext: { ...contextOf(flow), spanId: parent, isRemote: true } }),
      startTime: timeOf(start),
      endTime: timeOf(end),
      duration: timeOf(event.age),
      ended: true,
      status: event.error === null
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: event.error },
      attributes: attributesOf(event),
      links: [],
      events: [],
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

function contextOf({ event, spanId, isSampled }: EndedFlow) {
  return { traceId: event.id, spanId, traceFlags: isSampled ? 1 : 0 };
}

/** Seconds and nanoseconds. */
function timeOf(millis: number): Time {
  const seconds = Math.floor(millis / 1000);
  return [seconds, Math.round((millis - seconds * 1000) * 1e6)];
}
