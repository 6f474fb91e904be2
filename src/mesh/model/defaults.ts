/** A workload and a service with the values that xDS gives to absent fields (`docs/spec/xds-state.md` 1.3). */
import { namespacedHostname, type Service, type Workload, workloadUid } from "./model.ts";

/** A workload of which the control plane sent no field. */
export const DEFAULT_WORKLOAD: Workload = Object.freeze<Workload>({
  uid: workloadUid(""),
  name: "",
  namespace: "",
  trustDomain: "cluster.local",
  serviceAccount: "default",
  network: "",
  workloadIps: [],
  protocol: "TCP",
  networkMode: "Standard",
  status: "Healthy",
  waypoint: null,
  networkGateway: null,
  workloadName: "",
  workloadType: "deployment",
  canonicalName: "",
  canonicalRevision: "",
  hostname: "",
  node: "",
  clusterId: "Kubernetes",
  nativeTunnel: false,
  applicationTunnel: null,
  authorizationPolicies: [],
  locality: Object.freeze({ region: "", zone: "", subzone: "" }),
  capacity: 1,
  services: [],
});

/** A service of which the control plane sent no field. */
export const DEFAULT_SERVICE: Service = Object.freeze<Service>({
  key: namespacedHostname("", ""),
  name: "",
  namespace: "",
  hostname: "",
  vips: [],
  cidrVips: [],
  ports: new Map(),
  subjectAltNames: [],
  waypoint: null,
  weightedWaypoints: [],
  loadBalancer: null,
  ipFamilies: null,
  canonical: false,
  visibility: "Public",
});
