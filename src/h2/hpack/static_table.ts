/** The static table (RFC 7541 Appendix A). */
import type { HeaderList } from "../seam.ts";

/** The fields in order; the first one has index 1. */
// deno-fmt-ignore
export const STATIC_FIELDS: HeaderList = [
  [":authority", ""],
  [":method", "GET"], [":method", "POST"],
  [":path", "/"], [":path", "/index.html"],
  [":scheme", "http"], [":scheme", "https"],
  [":status", "200"], [":status", "204"], [":status", "206"], [":status", "304"],
  [":status", "400"], [":status", "404"], [":status", "500"],
  ["accept-charset", ""], ["accept-encoding", "gzip, deflate"], ["accept-language", ""], ["accept-ranges", ""],
  ["accept", ""], ["access-control-allow-origin", ""], ["age", ""], ["allow", ""], ["authorization", ""],
  ["cache-control", ""], ["content-disposition", ""], ["content-encoding", ""], ["content-language", ""],
  ["content-length", ""], ["content-location", ""], ["content-range", ""], ["content-type", ""], ["cookie", ""],
  ["date", ""], ["etag", ""], ["expect", ""], ["expires", ""], ["from", ""], ["host", ""], ["if-match", ""],
  ["if-modified-since", ""], ["if-none-match", ""], ["if-range", ""], ["if-unmodified-since", ""],
  ["last-modified", ""], ["link", ""], ["location", ""], ["max-forwards", ""], ["proxy-authenticate", ""],
  ["proxy-authorization", ""], ["range", ""], ["referer", ""], ["refresh", ""], ["retry-after", ""], ["server", ""],
  ["set-cookie", ""], ["strict-transport-security", ""], ["transfer-encoding", ""], ["user-agent", ""], ["vary", ""],
  ["via", ""], ["www-authenticate", ""],
];

/** Index of the newest dynamic entry (§2.3.3). */
export const FIRST_DYNAMIC_INDEX: number = STATIC_FIELDS.length + 1;

/** The indexes of one name. */
interface StaticName {
  /** The lowest index with this name. */
  readonly index: number;
  /** Index by value. */
  readonly values: ReadonlyMap<string, number>;
}

/** The static table by name. */
export const STATIC_NAMES: ReadonlyMap<string, StaticName> = collectNames();

function collectNames(): Map<string, StaticName> {
  const names = new Map<string, { index: number; values: Map<string, number> }>();
  STATIC_FIELDS.forEach(([name, value], i) => {
    const known = names.get(name) ?? { index: i + 1, values: new Map() };
    names.set(name, known);
    known.values.set(value, i + 1);
  });
  return names;
}
