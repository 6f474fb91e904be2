/** `/certificates`: the certificates of this node, those with problems first (`docs/dashboard.md`). No key, no PEM. */
import { CERTIFICATE_CURES } from "../identity/certificate_cures.ts";
import type { CertificateStatus } from "../identity/certificate_manager.ts";
import type { HttpHandler } from "./http_connection.ts";
import { jsonResponse } from "./json_response.ts";

/** Rows of a response. */
const ROWS_MAX = 500;

/** Times are ms since the epoch; null: there is no certificate. */
interface CertificateRow {
  readonly identity: string;
  readonly workloadUid: string | null;
  readonly state: CertificateStatus["state"]["at"];
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly serial: string | null;
  /** Why the last fetch or renewal has failed. */
  readonly failure: { readonly code: string; readonly text: string; readonly cure: string } | null;
}

/** The handler of the route. */
export function certificatesRoute(statuses: () => readonly CertificateStatus[]): HttpHandler {
  return () => {
    const rows = statuses().map(rowOf).sort((a, b) =>
      Number(b.failure !== null) - Number(a.failure !== null) || (a.notAfter ?? 0) - (b.notAfter ?? 0)
    );
    return jsonResponse({ certificates: rows.slice(0, ROWS_MAX), more: Math.max(0, rows.length - ROWS_MAX) });
  };
}

function rowOf({ subject, state, lastError }: CertificateStatus): CertificateRow {
  const certificate = state.at === "available" ? state.certificate : null;
  const error = state.at === "unavailable" ? state.error : lastError;
  return {
    identity: subject.id,
    workloadUid: subject.workloadUid,
    state: state.at,
    notBefore: certificate?.notBefore ?? null,
    notAfter: certificate?.notAfter ?? null,
    serial: certificate?.serial ?? null,
    failure: error === null ? null : { code: error.code, text: error.message, cure: CERTIFICATE_CURES[error.code] },
  };
}
