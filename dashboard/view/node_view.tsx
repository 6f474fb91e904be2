/** What the node does: charts of the last hour. */
import { bytes, decimal, duration, percent } from "../state/format.ts";
import { busyShare, gauge, rate, type Samples, sum } from "../state/samples.ts";
import { Chart, type ChartProps } from "./chart.tsx";
import { Empty } from "./parts.tsx";

const perSecond = (value: number) => `${decimal(value)}/s`;
const bytesPerSecond = (value: number) => `${bytes(value)}/s`;
const whole = (value: number) => decimal(Math.round(value * 100) / 100);

/** The charts. */
export function NodeView({ samples, isDark }: { samples: Samples; isDark: boolean }) {
  if (samples.samples.length < 2) {
    return (
      <Empty title="The first figures come within ten seconds">
        Throughput, connections, refusals, handshakes, processor, memory and event loops appear here, each over the last
        hour.
      </Empty>
    );
  }
  return (
    <div class="charts">
      {chartsOf(samples).map((chart) => <Chart key={chart.title} {...chart} isDark={isDark} />)}
    </div>
  );
}

function chartsOf(hour: Samples): Omit<ChartProps, "isDark">[] {
  const times = gauge(hour, "time");
  return [
    {
      title: "Throughput",
      times,
      format: bytesPerSecond,
      lines: [
        { name: "to servers", colour: "--blue", values: rate(hour, "bytesToServers") },
        { name: "to clients", colour: "--teal", values: rate(hour, "bytesToClients") },
      ],
    },
    {
      title: "New connections",
      times,
      format: perSecond,
      lines: [
        { name: "inbound", colour: "--blue", values: rate(hour, "openedInbound") },
        { name: "outbound", colour: "--teal", values: rate(hour, "openedOutbound") },
      ],
    },
    {
      title: "Open connections",
      times,
      format: whole,
      lines: [
        { name: "inbound", colour: "--blue", values: gauge(hour, "openInbound") },
        { name: "outbound", colour: "--teal", values: gauge(hour, "openOutbound") },
      ],
    },
    {
      title: "Refusals and failures",
      times,
      format: perSecond,
      lines: [
        { name: "refused by a policy", colour: "--orange", values: rate(hour, "denied") },
        { name: "failed", colour: "--red", values: sum(rate(hour, "failed"), rate(hour, "refused")) },
      ],
    },
    {
      title: "TLS handshakes",
      times,
      format: perSecond,
      lines: [
        { name: "completed", colour: "--teal", values: rate(hour, "handshakes") },
        { name: "failed", colour: "--red", values: rate(hour, "handshakesFailed") },
        { name: "waiting", colour: "--violet", values: gauge(hour, "handshakesWaiting"), isRight: true },
      ],
      formatRight: whole,
    },
    {
      title: "Processor",
      times,
      format: percent,
      lines: [{ name: "of one core", colour: "--violet", values: rate(hour, "cpu") }],
    },
    {
      title: "Memory",
      times,
      format: bytes,
      lines: [
        { name: "resident", colour: "--violet", values: gauge(hour, "resident") },
        { name: "heaps of workers", colour: "--blue", values: gauge(hour, "heap") },
        { name: "received, not read", colour: "--orange", values: gauge(hour, "held") },
      ],
    },
    {
      title: "Event loops",
      times,
      format: percent,
      formatRight: duration,
      lines: [
        { name: "busy", colour: "--violet", values: busyShare(hour) },
        { name: "longest turn", colour: "--orange", values: gauge(hour, "longest"), isRight: true },
      ],
    },
  ];
}
