/** The certificates of this node: the time that is left, and what to do about failures. */
import { lifeOf, type LifeState } from "../state/certificate_life.ts";
import { count, counted, date, until } from "../state/format.ts";
import type { Certificate, Certificates } from "../state/wire.ts";
import { Badge, Card, Empty, Loading, Problem, type Tone } from "./parts.tsx";
import { useJson } from "./use_json.ts";

/** The view. `now`: ms since the epoch, by the clock of the node. */
export function CertificatesView({ now }: { now: number }) {
  const { data, problem } = useJson<Certificates>("certificates", 10_000);
  if (data === null) return problem === null ? <Loading /> : <Problem text={problem} />;
  const { certificates, more } = data;
  const failing = certificates.filter(({ failure }) => failure !== null);
  return (
    <>
      <Problem text={problem} />
      {failing.length > 0 && (
        <Card title={`Failures (${count(failing.length)})`}>
          <ul class="failures">{failing.map((one) => <Failure key={keyOf(one)} certificate={one} now={now} />)}</ul>
        </Card>
      )}
      <Card
        title={`Certificates (${count(certificates.length + more)})`}
        aside={<span class="quiet-text">renewed at half of their life</span>}
      >
        {certificates.length === 0
          ? (
            <Empty title="No certificate is needed">
              One appears here for each identity of this node, as soon as a pod with it is served.
            </Empty>
          )
          : (
            <ul class="certificates">
              {certificates.map((one) => <Row key={keyOf(one)} certificate={one} now={now} />)}
            </ul>
          )}
        {more > 0 && <p class="quiet-text">{counted(more, "certificate")} with more time left out.</p>}
      </Card>
    </>
  );
}

const keyOf = ({ identity, workloadUid }: Certificate) => `${identity} ${workloadUid}`;

function Failure({ certificate, now }: { certificate: Certificate; now: number }) {
  const { identity, failure, notAfter } = certificate;
  const left = notAfter === null
    ? "There is no certificate: connections of this identity fail."
    : `The one in use ends ${until(notAfter, now)}.`;
  return (
    <li>
      <p>
        <Badge tone={notAfter === null ? "bad" : "warn"}>{failure!.code}</Badge> <code>{identity}</code>
      </p>
      <p>{failure!.text}</p>
      <p class="cure">
        <b>What to do:</b> {failure!.cure}
      </p>
      <p class="quiet-text">{left}</p>
    </li>
  );
}

const TONES: Readonly<Record<LifeState, Tone>> = { good: "ok", renewing: "accent", late: "warn", expired: "bad" };
const WORDS: Readonly<Record<LifeState, string>> = {
  good: "good",
  renewing: "to be renewed",
  late: "late",
  expired: "none",
};

function Row({ certificate, now }: { certificate: Certificate; now: number }) {
  const { identity, workloadUid, notBefore, notAfter, serial, state } = certificate;
  const life = lifeOf(certificate, now);
  const text = notAfter === null
    ? (state === "initializing" ? "being fetched" : "not available")
    : `ends ${until(notAfter, now)}`;
  return (
    <li class="certificate">
      <span class="certificate-name" title={serial === null ? "" : `serial ${serial}`}>
        <code>{identity}</code>
        {workloadUid !== null && <small>pod {workloadUid}</small>}
      </span>
      <svg
        class={`life ${life.state}`}
        viewBox="0 0 100 8"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${Math.round(life.left * 100)} % of its life left`}
      >
        <rect class="track" width="100" height="8" />
        <rect class="fill" width={life.left * 100} height="8" />
        <path class="mark" d="M50 0V8" />
      </svg>
      <span class="certificate-left" title={notAfter === null ? "" : `${date(notBefore!)} to ${date(notAfter)}`}>
        {text}
      </span>
      <Badge tone={state === "initializing" ? "quiet" : TONES[life.state]}>
        {state === "initializing" ? "fetching" : WORDS[life.state]}
      </Badge>
    </li>
  );
}
