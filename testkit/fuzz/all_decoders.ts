/** All decoders of input from outside. A new one is added to a file of `decoders/`, with a folder in `corpus/`. */
import type { FuzzedDecoder } from "./decoder.ts";
import { CERTIFICATE_DECODERS } from "./decoders/certificates.ts";
import { DNS_DECODERS } from "./decoders/dns.ts";
import { FILE_DECODERS } from "./decoders/files.ts";
import { H2_DECODERS } from "./decoders/h2.ts";
import { PROTOBUF_DECODERS } from "./decoders/protobuf.ts";
import { REQUEST_DECODERS } from "./decoders/requests.ts";
import { TEXT_DECODERS } from "./decoders/texts.ts";
import { TLS_DECODERS } from "./decoders/tls.ts";
import { XDS_DECODERS } from "./decoders/xds.ts";

/** Each decoder once, with a name of its own. */
export const DECODERS: readonly FuzzedDecoder[] = [
  ...H2_DECODERS,
  ...XDS_DECODERS,
  ...PROTOBUF_DECODERS,
  ...DNS_DECODERS,
  ...REQUEST_DECODERS,
  ...TEXT_DECODERS,
  ...CERTIFICATE_DECODERS,
  ...FILE_DECODERS,
  ...TLS_DECODERS,
];
