/** The filter of flows as the form has it, as the parameters of a request, and in the address of the page. */

/** Conditions; empty: any. */
export interface FlowQuery {
  readonly workload: string;
  readonly namespace: string;
  readonly service: string;
  readonly address: string;
  readonly identity: string;
  readonly direction: string;
  readonly verdict: string;
  readonly older: string;
  readonly dryrun: string;
}

/** No condition. */
export const ANY_FLOW: FlowQuery = {
  workload: "",
  namespace: "",
  service: "",
  address: "",
  identity: "",
  direction: "",
  verdict: "",
  older: "",
  dryrun: "",
};

const NAMES = Object.keys(ANY_FLOW) as readonly (keyof FlowQuery)[];

/** The parameters of `/observe` and `/connections`, those that are set. */
export function flowParameters(query: FlowQuery): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const name of NAMES) if (query[name] !== "") parameters.set(name, query[name]);
  return parameters;
}

/** Reads parameters; unknown ones are ignored. */
export function readFlowQuery(parameters: URLSearchParams): FlowQuery {
  const query = { ...ANY_FLOW };
  for (const name of NAMES) query[name] = (parameters.get(name) ?? "").trim().slice(0, 512);
  return query;
}

/** Number of conditions. */
export function conditions(query: FlowQuery): number {
  return [...flowParameters(query)].length;
}
