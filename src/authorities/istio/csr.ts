/** Makes certificate signing requests for Istio's CA (PKCS #10, RFC 2986; `docs/spec/identity-spire.md` 3.4). */
import { type KeyObject, sign } from "node:crypto";
import { uriAltNames } from "../../identity/certificate_builder.ts";
import { contextTag } from "../../identity/der.ts";
import * as der from "../../identity/der_write.ts";
import { spkiOf } from "../../identity/local_ca.ts";
import { Oid } from "../../identity/oids.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";

/** `extensionRequest`, RFC 2985 §5.4.2. */
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

/** Returns a request in DER with an empty subject and the id as URI name, in a critical extension. `key`: P-256. */
export function signingRequest(id: SpiffeId, key: KeyObject): Uint8Array {
  const extensions = der.sequence(uriAltNames(id));
  const attribute = der.sequence(der.oid(EXTENSION_REQUEST), der.set(extensions));
  const info = der.sequence(
    der.smallInteger(0),
    der.sequence(),
    spkiOf(key),
    der.element(contextTag(0, true), attribute),
  );
  return der.sequence(info, der.sequence(der.oid(Oid.ECDSA_SHA256)), der.bitString(sign("sha256", info, key)));
}
