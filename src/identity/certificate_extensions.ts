/** Parses the extensions of a version 3 certificate that decide what it may be used for (RFC 5280 §4.2). */
import {
  asciiText,
  contextTag,
  DerError,
  DerReader,
  Tag,
  takeBoolean,
  takeNamedBits,
  takeOid,
  takeSmallInteger,
} from "./der.ts";
import { type NameConstraints, readNameConstraints } from "./name_constraints.ts";
import { Oid } from "./oids.ts";

/** Bits of `keyUsage`. */
export const KeyUsage = {
  DIGITAL_SIGNATURE: 1 << 0,
  KEY_ENCIPHERMENT: 1 << 2,
  KEY_CERT_SIGN: 1 << 5,
  CRL_SIGN: 1 << 6,
} as const;

/** The parsed extensions. Null means that the certificate does not have the extension. */
export interface CertificateExtensions {
  /** URI names of the subject, in order. They are not checked and may contain any ASCII character. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ipAddresses: readonly Uint8Array[];
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null;
  /** Sum of {@link KeyUsage} bits. */
  readonly keyUsage: number | null;
  /** Dotted OIDs. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly subjectKeyId: Uint8Array | null;
  readonly authorityKeyId: Uint8Array | null;
  readonly nameConstraints: NameConstraints | null;
}

type MutableExtensions = { -readonly [K in keyof CertificateExtensions]: CertificateExtensions[K] };

/** The extensions of a certificate that has none. */
export const NO_EXTENSIONS: CertificateExtensions = Object.freeze({
  uris: [],
  dnsNames: [],
  ipAddresses: [],
  basicConstraints: null,
  keyUsage: null,
  extendedKeyUsage: null,
  subjectKeyId: null,
  authorityKeyId: null,
  nameConstraints: null,
});

const MAX_EXTENSIONS = 64;

/** Parses the `[3]` field. Throws {@link DerError}, also for a duplicate or an unknown critical extension. */
export function readExtensions(tbs: DerReader): CertificateExtensions {
  const field = tbs.enter(contextTag(3, true));
  const list = field.enter(Tag.SEQUENCE);
  field.finish();
  const seen = new Set<string>();
  const extensions: MutableExtensions = { ...NO_EXTENSIONS };
  while (!list.done) {
    const extension = list.enter(Tag.SEQUENCE);
    const id = takeOid(extension);
    const critical = extension.tag === Tag.BOOLEAN && takeBoolean(extension);
    const value = extension.take(Tag.OCTET_STRING);
    extension.finish();
    if (seen.has(id)) throw new DerError(`duplicate extension ${id}`);
    if (seen.add(id).size > MAX_EXTENSIONS) throw new DerError("too many extensions");
    if (!readExtension(extensions, id, value) && critical) throw new DerError(`unknown critical extension ${id}`);
  }
  return extensions;
}

/** Returns false for an extension that is not supported. */
function readExtension(extensions: MutableExtensions, id: string, value: Uint8Array): boolean {
  const reader = new DerReader(value);
  switch (id) {
    case Oid.SUBJECT_ALT_NAME:
      readAltNames(extensions, reader.enter(Tag.SEQUENCE));
      break;
    case Oid.BASIC_CONSTRAINTS:
      extensions.basicConstraints = readBasicConstraints(reader.enter(Tag.SEQUENCE));
      break;
    case Oid.KEY_USAGE:
      extensions.keyUsage = takeNamedBits(reader);
      break;
    case Oid.EXTENDED_KEY_USAGE:
      extensions.extendedKeyUsage = readOids(reader.enter(Tag.SEQUENCE));
      break;
    case Oid.SUBJECT_KEY_ID:
      extensions.subjectKeyId = reader.take(Tag.OCTET_STRING);
      break;
    case Oid.AUTHORITY_KEY_ID:
      extensions.authorityKeyId = readAuthorityKeyId(reader.enter(Tag.SEQUENCE));
      break;
    case Oid.NAME_CONSTRAINTS:
      extensions.nameConstraints = readNameConstraints(reader.enter(Tag.SEQUENCE));
      break;
    default:
      return false;
  }
  reader.finish();
  return true;
}

const OTHER_NAME = contextTag(0, true);
const EMAIL = contextTag(1, false);
const DNS = contextTag(2, false);
const X400 = contextTag(3, true);
const DIRECTORY = contextTag(4, true);
const EDI = contextTag(5, true);
const URI = contextTag(6, false);
const IP = contextTag(7, false);
const REGISTERED_ID = contextTag(8, false);

function readAltNames(extensions: MutableExtensions, names: DerReader): void {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  const ipAddresses: Uint8Array[] = [];
  while (!names.done) {
    const tag = names.tag;
    const value = names.take(tag);
    switch (tag) {
      case URI:
        uris.push(asciiText(value));
        break;
      case DNS:
        dnsNames.push(asciiText(value));
        break;
      case IP:
        if (value.length !== 4 && value.length !== 16) throw new DerError("malformed IP address name");
        ipAddresses.push(value);
        break;
      case OTHER_NAME:
      case EMAIL:
      case X400:
      case DIRECTORY:
      case EDI:
      case REGISTERED_ID:
        break;
      default:
        throw new DerError("unknown kind of subject alternative name");
    }
  }
  Object.assign(extensions, { uris, dnsNames, ipAddresses });
}

function readBasicConstraints(fields: DerReader): { ca: boolean; pathLength: number | null } {
  const ca = fields.tag === Tag.BOOLEAN && takeBoolean(fields);
  const pathLength = fields.tag === Tag.INTEGER ? takeSmallInteger(fields) : null;
  fields.finish();
  return { ca, pathLength };
}

function readOids(list: DerReader): string[] {
  const oids: string[] = [];
  while (!list.done) oids.push(takeOid(list));
  return oids;
}

function readAuthorityKeyId(fields: DerReader): Uint8Array | null {
  const id = fields.tag === contextTag(0, false) ? fields.take(contextTag(0, false)) : null;
  if (fields.tag === contextTag(1, true)) fields.take(contextTag(1, true));
  if (fields.tag === contextTag(2, false)) fields.take(contextTag(2, false));
  fields.finish();
  return id;
}
