/** The answer of the explain route, drawn as a path. */
import { useEffect, useState } from "preact/hooks";
import { pathOf, type Station } from "../state/explain_path.ts";
import { counted, percent } from "../state/format.ts";
import type { Admission, ExplainError, Explanation, Outlook, Reason, Way } from "../state/wire.ts";
import { Badge, Loading, type Tone } from "./parts.tsx";

type Answer =
  | { readonly kind: "explanation"; readonly explanation: Explanation }
  | { readonly kind: "error"; readonly error: ExplainError }
  | { readonly kind: "problem"; readonly text: string };

/** Asks once, and draws the answer. */
export function ExplainResult({ from, to }: { from: string; to: string }) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    ask(from, to, abort.signal).then((got) => abort.signal.aborted || setAnswer(got));
    return () => abort.abort();
  }, [from, to]);
  if (answer === null) return <Loading />;
  switch (answer.kind) {
    case "problem":
      return <p class="problem" role="alert">No answer: {answer.text}</p>;
    case "error":
      return <Mistake error={answer.error} />;
    case "explanation":
      return <Explained explanation={answer.explanation} />;
    default:
      return answer satisfies never;
  }
}

async function ask(from: string, to: string, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await fetch(`explain?${new URLSearchParams({ from, to })}`, { signal });
    const text = await response.text();
    if (!text.startsWith("{")) return { kind: "problem", text: text.trim() || `status ${response.status}` };
    const { explanation, error } = JSON.parse(text);
    return explanation === undefined ? { kind: "error", error } : { kind: "explanation", explanation };
  } catch (error) {
    return { kind: "problem", text: error instanceof Error ? error.message : String(error) };
  }
}

function Mistake({ error: { message, candidates } }: { error: ExplainError }) {
  return (
    <div class="problem" role="alert">
      <p>{message}</p>
      {candidates.length > 0 && <p>Similar names: {candidates.join(", ")}</p>}
    </div>
  );
}

const TONES: Readonly<Record<Outlook, Tone>> = { allowed: "ok", refused: "bad", depends: "warn" };

function Explained({ explanation }: { explanation: Explanation }) {
  const { outlook, summary, ways, more, unready, to } = explanation;
  const [chosen, setChosen] = useState(0);
  const way = ways[chosen];
  return (
    <div class="explained">
      <p class="summary">
        <Badge tone={TONES[outlook]}>{outlook}</Badge> {summary}
      </p>
      {ways.length > 1 && (
        <label class="field ways">
          <span>Chance chooses one of {counted(ways.length + more, "way")}</span>
          <select value={`${chosen}`} onChange={({ currentTarget }) => setChosen(Number(currentTarget.value))}>
            {ways.map((one, i) => (
              <option key={i} value={`${i}`}>{percent(one.chance)} {one.outlook}: {lastTitle(explanation, one)}</option>
            ))}
          </select>
        </label>
      )}
      {to.asked !== to.address && <Reasons title={`${to.asked} is ${to.address}`} reasons={to.because} />}
      {way !== undefined && <Path explanation={explanation} way={way} />}
      {unready.length > 0 && <p class="quiet-text">Not ready, so no endpoint: {unready.join(", ")}</p>}
    </div>
  );
}

function lastTitle(explanation: Explanation, way: Way): string {
  return pathOf(explanation, way).stations.at(-1)!.title;
}

function Path({ explanation, way }: { explanation: Explanation; way: Way }) {
  const { stations, legs } = pathOf(explanation, way);
  return (
    <ol class="path">
      {stations.map((station, i) => (
        <li key={i}>
          {i > 0 && (
            <div class={`leg ${legs[i - 1]!.isSecure ? "secure" : "plain"}`}>
              <b>{legs[i - 1]!.protocol ?? "no connection"}</b>
              <Reasons title={`decided by ${legs[i - 1]!.by}`} reasons={legs[i - 1]!.because} />
            </div>
          )}
          <StationBox station={station} />
        </li>
      ))}
      {way.onward !== null && <li class="quiet-text">{way.onward.text}</li>}
    </ol>
  );
}

const KINDS = { client: "client", destination: "destination", waypoint: "waypoint", refused: "ends here" } as const;

function StationBox({ station: { kind, title, details, admission } }: { station: Station }) {
  const state = kind === "refused" || admission?.allow === false ? "refused" : kind;
  return (
    <div class={`station ${state}`}>
      <span class="station-kind">{KINDS[kind]}</span>
      <b>{title}</b>
      {details.map((line) => <small key={line}>{line}</small>)}
      {admission !== null && <AdmissionText admission={admission} />}
    </div>
  );
}

function AdmissionText({ admission }: { admission: Admission }) {
  const { allow, message, decision, policy, notEnforced, policies } = admission;
  return (
    <div class="admission">
      <p>
        <Badge tone={allow ? "ok" : "bad"}>{allow ? "admitted" : "refused"}</Badge> {notEnforced ?? message ?? decision}
        {policy !== null && (
          <>
            by <code>{policy}</code>
          </>
        )}
      </p>
      {policies.length > 0 && (
        <ul class="findings">
          {policies.map(({ key, action, result, decides, dryRun, details }) => (
            <li key={key} class={decides ? "decides" : ""}>
              <code>{key}</code> {action?.toLowerCase() ?? "not here yet"}
              {dryRun && ", dry run"}: {result.replaceAll("-", " ")}
              {details.map((line) => <small key={line}>{line}</small>)}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Reasons({ title, reasons }: { title: string; reasons: readonly Reason[] }) {
  if (reasons.length === 0) return <span class="quiet-text">{title}</span>;
  return (
    <details class="reasons">
      <summary>{title}</summary>
      <ol>
        {reasons.map(({ rule, text, decides, details }, i) => (
          <li key={i} class={decides ? "decides" : ""} title={rule}>
            {text}
            {details?.map((line) => <small key={line}>{line}</small>)}
          </li>
        ))}
      </ol>
    </details>
  );
}
