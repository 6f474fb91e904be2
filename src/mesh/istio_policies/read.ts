/** Reads Istio's security objects from YAML, as `kubectl apply` would take it. */
import { ConfigError } from "../../config/error.ts";
import type { Field } from "../static_file/field.ts";
import { readDocument } from "../static_file/reader.ts";
import { readAuthorizationPolicy } from "./authorization_policy.ts";
import { readMetadata } from "./metadata.ts";
import type { IstioObject } from "./objects.ts";
import { readPeerAuthentication } from "./peer_authentication.ts";

/** Characters of all documents, and of one. */
const TEXT_MAX = 1 << 20, DOCUMENT_MAX = 256 << 10;
const OBJECTS_MAX = 20_000;
const SECURITY = /^security\.istio\.io\/(v1|v1beta1)$/;

/**
 * The objects of the documents in `text`, one document after the other: a large text takes several turns. `name`: its
 * name in messages. `root`: the root namespace of the mesh.
 *
 * @throws ConfigError naming the place, the key, the value and what is accepted.
 */
export function* readObjects(
  text: string,
  name: string,
  root: string,
): Generator<readonly IstioObject[], void, undefined> {
  if (text.length > TEXT_MAX) throw new ConfigError(`${name} has ${text.length} characters, more than ${TEXT_MAX}`);
  let linesBefore = 0, count = 0;
  for (const document of text.split(/^---(?=\s|$)/m)) {
    if (document.length > DOCUMENT_MAX) {
      throw new ConfigError(
        `${name}:${linesBefore + 1}: a document has ${document.length} characters, more than ${DOCUMENT_MAX}`,
      );
    }
    const top = readDocument(document, name, { linesBefore, refusesAliases: true });
    linesBefore += document.split("\n").length - 1;
    const objects = top === null ? [] : readOne(top, root);
    count += objects.length;
    if (count > OBJECTS_MAX) throw new ConfigError(`${name} has more than ${OBJECTS_MAX} objects`);
    yield objects;
  }
}

function readOne(top: Field, root: string): IstioObject[] {
  const fields = top.object([], false);
  const kind = fields.required("kind").string();
  const version = fields.required("apiVersion").string();
  if (kind.endsWith("List")) return fields.required("items").list().flatMap((item) => readOne(item, root));
  switch (kind) {
    case "AuthorizationPolicy":
    case "PeerAuthentication": {
      if (!SECURITY.test(version)) {
        fields.required("apiVersion").fail("security.istio.io/v1 or security.istio.io/v1beta1");
      }
      const unknown = top.entries().find(([key]) => !OBJECT_KEYS.has(key));
      unknown?.[2].reject(`${kind} has no ${unknown[0]}; accepted are ${[...OBJECT_KEYS].join(", ")}`);
      const metadata = readMetadata(fields);
      const spec = fields.nullable("spec");
      return [
        kind === "AuthorizationPolicy"
          ? readAuthorizationPolicy(spec, metadata, root)
          : readPeerAuthentication(spec, metadata),
      ];
    }
    case "Pod": {
      const { namespace, name, labels } = readMetadata(fields);
      return [{ kind, namespace, name, labels }];
    }
    default:
      return fields.required("kind").fail("AuthorizationPolicy, PeerAuthentication, Pod or a List of them");
  }
}

const OBJECT_KEYS: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);
