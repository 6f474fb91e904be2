/** Short texts: header values, addresses, names, log filters. */
import { parseAuthority } from "../../../src/mesh/headers/authority.ts";
import { parseBaggage } from "../../../src/mesh/headers/baggage.ts";
import { parseForwardedHost } from "../../../src/mesh/headers/forwarded.ts";
import { parseCidr } from "../../../src/mesh/model/cidr.ts";
import { parseSpiffeId, parseTrustDomain, parseWorkloadId, workloadId } from "../../../src/identity/spiffe_id.ts";
import {
  formatAddress,
  ipv4FromBytes,
  ipv6FromBytes,
  isIpv4,
  parseIp,
  parseSocketAddress,
} from "../../../src/net/address.ts";
import { ipToBytes } from "../../../src/net/address.ts";
import { LogFilter } from "../../../src/telemetry/log_filter.ts";
import { type FuzzedDecoder, holds, latin1, utf8 } from "../decoder.ts";

const VISIBLE = /^[\x20-\x7e\t]*$/;

const baggage: FuzzedDecoder = {
  name: "baggage",
  run(input) {
    const text = latin1(input);
    for (const value of Object.values(parseBaggage(text.split("\n")))) {
      holds(value === null || (value !== "" && VISIBLE.test(value)), "values are visible ASCII and not empty");
    }
  },
};

const forwarded: FuzzedDecoder = {
  name: "forwarded",
  run(input) {
    const host = parseForwardedHost(latin1(input));
    holds(host === null || (host !== "" && VISIBLE.test(host)), "a host is visible ASCII and not empty");
  },
};

const authority: FuzzedDecoder = {
  name: "authority",
  run(input) {
    const parsed = parseAuthority(latin1(input));
    if (parsed?.kind === "hostname") {
      holds(/^[\w.*-]{1,253}$/.test(parsed.hostname), "a host name has valid characters");
    }
    if (parsed?.kind !== "address") return;
    const again = parseAuthority(formatAddress(parsed.address));
    holds(JSON.stringify(again) === JSON.stringify(parsed), "a formatted address is parsed as itself");
  },
};

const ip: FuzzedDecoder = {
  name: "ip",
  run(input) {
    const text = utf8(input);
    const address = parseSocketAddress(text);
    if (address !== null) holds(parseSocketAddress(formatAddress(address))?.ip === address.ip, "the text is canonical");
    const parsed = parseIp(text);
    if (parsed === null) return;
    const bytes = ipToBytes(parsed);
    holds(parseIp(parsed) === parsed, "the text is canonical");
    holds((isIpv4(parsed) ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes)) === parsed, "the bytes are the same address");
  },
};

const cidr: FuzzedDecoder = {
  name: "cidr",
  run(input) {
    const parsed = parseCidr(utf8(input));
    holds(parsed === null || parseCidr(parsed) === parsed, "the text is canonical");
  },
};

const spiffeId: FuzzedDecoder = {
  name: "spiffe-id",
  run(input) {
    const text = utf8(input);
    parseTrustDomain(text);
    const id = parseSpiffeId(text);
    if (id === null) return;
    holds(id === text && /^spiffe:\/\/[a-z0-9._-]+(\/[\w.-]+)*$/.test(id), "an id has valid characters");
    const parts = parseWorkloadId(id);
    if (parts === null) return;
    holds(workloadId(parts.trustDomain, parts.namespace, parts.serviceAccount) === id, "the parts make the same id");
  },
};

const logFilter: FuzzedDecoder = {
  name: "log-filter",
  run(input) {
    const filter = LogFilter.parse(utf8(input));
    if (typeof filter === "string") return holds(filter !== "", "a refusal has a reason");
    filter.limit("proxy::outbound", ["src.workload"]);
    // The text is parsed when a clause is added.
    holds(filter.with("info") !== undefined, "a clause can be added");
  },
};

/** The decoders of this file. */
export const TEXT_DECODERS: readonly FuzzedDecoder[] = [baggage, forwarded, authority, ip, cidr, spiffeId, logFilter];
