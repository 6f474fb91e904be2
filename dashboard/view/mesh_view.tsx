/** The mesh as this node sees it: control plane, certificate authority, resources, and what was rejected. */
import { ago, bytes, clock, count, counted, date, duration } from "../state/format.ts";
import type { ControlPlane, NodeInfo } from "../state/wire.ts";
import { Badge, Card, Empty, Facts, Loading, type Tone } from "./parts.tsx";
import { type Column, Table } from "./table.tsx";

/** The view. */
export function MeshView({ node }: { node: NodeInfo | null }) {
  if (node === null) return <Loading />;
  const { controlPlane, mesh, time } = node;
  return (
    <>
      <div class="cards">
        <ControlPlaneCard controlPlane={controlPlane} now={time} />
        <AuthorityCard node={node} />
        <ProcessCard node={node} />
      </div>
      <Card title="What this node knows">
        {mesh === null ? <Loading /> : (
          <ul class="numbers">
            <li>
              <b>{count(mesh.workloads)}</b> workloads
            </li>
            <li>
              <b>{count(mesh.services)}</b> services
            </li>
            <li>
              <b>{count(mesh.policies)}</b> policies
            </li>
          </ul>
        )}
      </Card>
      {controlPlane !== null && (
        <>
          <Card title="Received by type" flush>
            {controlPlane.types.length === 0
              ? (
                <Empty title="Nothing has arrived">
                  Responses of the control plane appear here, by the type of their resources.
                </Empty>
              )
              : (
                <Table
                  caption="Responses by type"
                  rows={controlPlane.types}
                  columns={TYPES}
                  keyOf={({ type }) => type}
                />
              )}
          </Card>
          <Card title={`Rejected resources (${count(controlPlane.rejected.length)})`} flush>
            {controlPlane.rejected.length === 0
              ? (
                <Empty title="Nothing was rejected">
                  A resource that this proxy cannot use appears here with the reason. The earlier one with its name
                  stays in force.
                </Empty>
              )
              : (
                <Table
                  caption="Rejected resources"
                  rows={controlPlane.rejected}
                  columns={REJECTED}
                  keyOf={({ time: at, name, type }) => `${at} ${type} ${name}`}
                />
              )}
          </Card>
        </>
      )}
    </>
  );
}

const STATES: Readonly<Record<ControlPlane["state"], readonly [Tone, string]>> = {
  connected: ["ok", "connected"],
  connecting: ["warn", "connecting"],
  waiting: ["bad", "not connected"],
};

function ControlPlaneCard({ controlPlane, now }: { controlPlane: ControlPlane | null; now: number }) {
  if (controlPlane === null) {
    return (
      <Card title="Control plane" aside={<Badge tone="quiet">none</Badge>}>
        <p>The mesh comes from a file (LOCAL_XDS_PATH); XDS_ADDRESS is empty.</p>
      </Card>
    );
  }
  const { state, since, address, attempts, lastResponse, lastFailure } = controlPlane;
  const [tone, word] = STATES[state];
  return (
    <Card title="Control plane" aside={<Badge tone={tone}>{word}</Badge>}>
      <Facts
        rows={[
          ["Address", address],
          ["In this state", `for ${duration(now - since)}`],
          ["Last response", lastResponse === null ? "none so far" : ago(lastResponse, now)],
          ["Attempts", count(attempts)],
          ["Last failure", lastFailure === null ? "none" : `${ago(lastFailure.time, now)}: ${lastFailure.text}`],
        ]}
      />
    </Card>
  );
}

const AUTHORITIES = { local: "inside the proxy (FAKE_CA)", spire: "SPIRE", istio: "Istio's CA" } as const;

function AuthorityCard({ node: { authority, certificates, time } }: { node: NodeInfo }) {
  const { kind, address, awaySince, noneSince } = authority;
  const [tone, word]: readonly [Tone, string] = noneSince !== null
    ? ["bad", "no certificate"]
    : awaySince !== null
    ? ["bad", "away"]
    : certificates.failing > 0
    ? ["warn", counted(certificates.failing, "failure")]
    : certificates.available > 0
    ? ["ok", "answers"]
    : ["quiet", "not asked yet"];
  return (
    <Card title="Certificate authority" aside={<Badge tone={tone}>{word}</Badge>}>
      <Facts
        rows={[
          ["Kind", AUTHORITIES[kind]],
          ...address === null ? [] : [["Address", address] as const],
          [
            "Certificates",
            `${count(certificates.available)} available, ${count(certificates.unavailable)} not, ${
              count(certificates.initializing)
            } being fetched`,
          ],
          ...awaySince === null ? [] : [["Away", `for ${duration(time - awaySince)}`] as const],
          ...noneSince === null ? [] : [["No certificate", `for ${duration(time - noneSince)}`] as const],
          ["First one ends", certificates.firstExpiry === null ? "–" : date(certificates.firstExpiry)],
        ]}
      />
    </Card>
  );
}

function ProcessCard({ node }: { node: NodeInfo }) {
  const { ready: { pending, trouble } } = node;
  const isReady = pending.length === 0;
  return (
    <Card
      title="This proxy"
      aside={<Badge tone={isReady && trouble === null ? "ok" : "warn"}>{isReady ? "ready" : "not ready"}</Badge>}
    >
      <Facts
        rows={[
          ["Version", `${node.version}${node.revision === "unknown" ? "" : ` (${node.revision.slice(0, 10)})`}`],
          ["Runs", `since ${date(node.startedAt)}, ${duration(node.time - node.startedAt)}`],
          ["Mode", node.mode === "shared" ? "shared: all pods of the node" : "dedicated: one workload"],
          ["Threads", counted(node.workers, "data-plane thread")],
          ["Waits for", isReady ? "nothing" : pending.join(", ")],
          ...trouble === null ? [] : [["Trouble", trouble] as const],
        ]}
      />
    </Card>
  );
}

const short = (type: string) => type.split(".").at(-1) ?? type;

const TYPES: readonly Column<ControlPlane["types"][number]>[] = [
  { id: "type", title: "Type", show: ({ type }) => <span title={type}>{short(type)}</span>, value: ({ type }) => type },
  {
    id: "responses",
    title: "Responses",
    show: ({ responses }) => count(responses),
    value: ({ responses }) => responses,
    isNumber: true,
  },
  { id: "bytes", title: "Bytes", show: (row) => bytes(row.bytes), value: (row) => row.bytes, isNumber: true },
  {
    id: "rejected",
    title: "Rejected",
    show: ({ rejected }) => <span class={rejected > 0 ? "text-bad" : ""}>{count(rejected)}</span>,
    value: ({ rejected }) => rejected,
    isNumber: true,
  },
];

const REJECTED: readonly Column<ControlPlane["rejected"][number]>[] = [
  { id: "time", title: "Time", show: ({ time }) => clock(time), value: ({ time }) => time },
  { id: "type", title: "Type", show: ({ type }) => short(type), value: ({ type }) => type },
  { id: "name", title: "Resource", show: ({ name }) => <code>{name}</code>, value: ({ name }) => name },
  { id: "reason", title: "Reason", show: ({ reason }) => reason },
];
