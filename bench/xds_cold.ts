/** A proxy that receives a whole mesh at its start, and single changes after it. */
import { ROOT_PEM } from "../src/grpc/testkit/server.ts";
import { readSystemFile } from "../src/os/system_files.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { freePorts } from "../testkit/ports.ts";
import { type AdsStream, encodeResponse } from "../testkit/control_plane_stream.ts";
import { meshText } from "../lab/mesh.ts";
import { makeMesh, sizeOf, workloadResource } from "../testkit/mesh_resources.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";

import { tempDir } from "../lab/temp_dir.ts";
import { residentBytes } from "./cpu.ts";
import { sleep } from "./processes.ts";

const CHANGES = 200;
const SETTLED_MILLIS = 3000;

/** The figures. */
interface ColdFigures {
  /** ms from the first byte sent to the second acknowledgement: every worker has applied all of it. */
  readonly load: number;
  /** Bytes of the response with workloads and services. */
  readonly response: number;
  /** Resident bytes of the whole process: before, at most, and a while after. */
  readonly before: number;
  readonly peak: number;
  readonly after: number;
  /** ms from sending one changed endpoint to its acknowledgement, sorted. */
  readonly changes: readonly number[];
}

/** Measures one proxy in a new process; the control plane is in this one. */
export async function measureCold(workloads: number, workers: number): Promise<ColdFigures> {
  const mesh = makeMesh(sizeOf(workloads));
  const addresses = encodeResponse({ typeUrl: ADDRESS_TYPE, nonce: "addresses", resources: mesh.addresses });
  const policies = encodeResponse({ typeUrl: AUTHORIZATION_TYPE, nonce: "policies", resources: mesh.policies });
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir());
  const plane = stack.use(await ControlPlane.start());
  const [inbound, plaintext, outbound] = freePorts("127.0.0.1", 3);
  const settings = nodeSettings({ name: "b", ip: "127.0.0.1", mesh: meshText([]), folder: folder.path }, {
    XDS_ADDRESS: plane.url,
    XDS_ROOT_CA: ROOT_PEM,
    NODE_NAME: "ip-10-0-0-5.eu-west-1.compute.internal",
    RUST_LOG: "warn",
    ZTUNNEL_WORKER_THREADS: `${workers}`,
    // Several workers share their ports, so these must be known.
    UNSTABLE_ENABLE_SOCKS5: "false",
    INBOUND_PORT: `${inbound}`,
    INBOUND_PLAINTEXT_PORT: `${plaintext}`,
    OUTBOUND_PORT: `${outbound}`,
  });
  const proxy = stack.use(new Proxy(settings));
  const stream = await plane.stream();
  await stream.request();
  await stream.request();
  const before = residentBytes(proxy.pid);
  const start = performance.now();
  stream.send(addresses);
  await stream.expectAck("addresses");
  stream.send(policies);
  await stream.expectAck("policies", AUTHORIZATION_TYPE);
  const load = performance.now() - start;
  const peak = peakBytes(proxy.pid);
  await sleep(SETTLED_MILLIS);
  const after = residentBytes(proxy.pid);
  const changes = await measureChanges(stream, workloads);
  stream.abandon();
  return { load, response: addresses.length, before, peak, after, changes };
}

async function measureChanges(stream: AdsStream, workloads: number): Promise<readonly number[]> {
  const millis: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const changed = workloadResource(i * 37 % workloads, sizeOf(workloads).services, 2 + i);
    const response = encodeResponse({ typeUrl: ADDRESS_TYPE, nonce: `${i}`, resources: [changed] });
    const start = performance.now();
    stream.send(response);
    await stream.expectAck(`${i}`);
    millis.push(performance.now() - start);
  }
  return millis.sort((a, b) => a - b);
}

function peakBytes(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(readSystemFile(`/proc/${pid}/status`))?.[1];
  return Number(kib) * 1024;
}
