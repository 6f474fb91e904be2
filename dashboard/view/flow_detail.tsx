/** One flow, explained: how it ended, its phases, its sides, and what the mesh says about such a connection now. */
import { useEffect, useRef } from "preact/hooks";
import { endingSentence, partyName, phases, questionOf, transportName } from "../state/flow_text.ts";
import { bytes, clock, count, duration } from "../state/format.ts";
import { formatAddress } from "../state/page_address.ts";
import type { FlowEvent, Party } from "../state/wire.ts";
import { ExplainResult } from "./explain_result.tsx";
import { Verdict } from "./flow_rows.tsx";
import { Badge, Facts } from "./parts.tsx";

/** The panel. Escape closes it, and the focus goes back to where it was. */
export function FlowDetail({ flow, onClose }: { flow: FlowEvent; onClose: () => void }) {
  const panel = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => before instanceof HTMLElement && before.isConnected ? before.focus() : undefined;
  }, []);
  const question = questionOf(flow);
  return (
    <div
      class="detail"
      ref={panel}
      tabIndex={-1}
      role="dialog"
      aria-label="One flow, explained"
      onKeyDown={({ key }) => key === "Escape" && onClose()}
    >
      <header>
        <Verdict flow={flow} />
        <h2>{partyName(flow.source)} → {flow.service ?? partyName(flow.destination)}</h2>
        <button type="button" class="button" onClick={onClose} aria-label="Close">✕</button>
      </header>
      <p class="sentence">{endingSentence(flow)}</p>
      {flow.error !== null && <p class="error-text">{flow.error}</p>}
      {flow.dryRuns.map(({ policy, text }) => (
        <p key={text}>
          <Badge tone="warn">dry run</Badge> {policy ?? "no policy"}: {text.replace(/^dry-run: /, "")}
        </p>
      ))}
      <Phases flow={flow} />
      <Facts rows={factsOf(flow)} />
      <h3>What the mesh says now</h3>
      {question === null
        ? (
          <p class="quiet-text">
            The caller is known by its certificate only, and not as a workload, so the mesh cannot be asked about it.
            {" "}
            <a href={formatAddress("explain", { to: flow.target })}>Ask about a workload</a>
          </p>
        )
        : (
          <>
            <ExplainResult key={`${question.from} ${question.to}`} {...question} />
            <p>
              <a href={formatAddress("explain", question)}>Open in Explain</a>
            </p>
          </>
        )}
    </div>
  );
}

function Phases({ flow }: { flow: FlowEvent }) {
  const all = phases(flow), setup = all.slice(0, -1), total = setup.at(-1)?.to ?? 0;
  if (setup.length === 0 || total === 0) return null;
  return (
    <div class="phases">
      <h3>Until it was open: {duration(setup.at(-1)!.to)}</h3>
      <ol>
        {setup.map(({ name, from, to }) => (
          <li key={name}>
            <span>{name}</span>
            <svg class="phase-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
              <rect class="track" width="100" height="6" />
              <rect class="fill" x={from / total * 100} width={Math.max(1, (to - from) / total * 100)} height="6" />
            </svg>
            <b>{duration(to - from)}</b>
          </li>
        ))}
      </ol>
    </div>
  );
}

function factsOf(flow: FlowEvent): [string, string | preact.JSX.Element][] {
  const { time, direction, source, destination, target, service, protocol, tls, attempt, carrier, id, flag } = flow;
  return [
    ["From", <PartyText key="from" party={source} />],
    ["To", <PartyText key="to" party={destination} />],
    ["Asked for", target],
    ["Service", service ?? "none"],
    [flow.event === "opened" ? "Opened" : "Ended", clock(time)],
    ["Direction", direction],
    [
      "Transport",
      [protocol, transportName(flow), tls?.group ?? ""].filter((word, i, all) => word !== "" && word !== all[i - 1])
        .join(", "),
    ],
    ["Bytes", `${bytes(flow.bytesSent)} sent, ${bytes(flow.bytesReceived)} received`],
    [
      "Endpoint tried",
      attempt === 0 ? "none" : attempt === 1 ? "the first" : `number ${attempt}: others could not be reached`,
    ],
    ["Connection", carrier === null ? "its own" : `HBONE connection number ${count(carrier)}`],
    ["Response flag", flag ?? "none"],
    ["Id, in both logs", <code key="id">{id}</code>],
  ];
}

function PartyText({ party }: { party: Party }) {
  return (
    <>
      {party.workload !== null && <div>{partyName(party)}</div>}
      <div>{party.address}</div>
      <div class="quiet-text">{party.identity ?? "no proven identity"}</div>
    </>
  );
}
