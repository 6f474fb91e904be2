/**
 * Reads and makes certificates, signing requests and revocation lists with the library `@peculiar/x509`:
 * `tests/x509_oracle_test.ts` compares it with the proxy's own reader and writer.
 *
 * A program with a configuration and a lock file of its own, since the library brings 20 packages that nothing else
 * needs. Standard input: {@link Questions} in JSON. Standard output: {@link Answers} in JSON. Bytes are base64.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { Answers, CertificateFacts, CertificateTemplate, RevocationList, Questions } from "./questions.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
const issuer = "O=oracle";
/** RFC 5280 §4.2.1.6 */
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

const questions = JSON.parse(await new Response(Deno.stdin.readable).text()) as Questions;
const answers: Answers = {
  certificates: await Promise.all(questions.certificates.map(readCertificate)),
  requests: await Promise.all(questions.requests.map(readRequest)),
  lists: questions.lists.map(readList),
  madeCertificates: await Promise.all(questions.makeCertificates.map(makeCertificate)),
  madeLists: await Promise.all(questions.makeLists.map(makeList)),
};
console.log(JSON.stringify(answers));

async function readCertificate({ der, issuer }: Questions["certificates"][number]): Promise<CertificateFacts> {
  const certificate = new x509.X509Certificate(bytes(der));
  const signer = new x509.X509Certificate(bytes(issuer));
  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  return {
    serial: certificate.serialNumber,
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
    publicKey: base64(certificate.publicKey.rawData),
    ...names(certificate.getExtension(x509.SubjectAlternativeNameExtension)),
    basicConstraints: constraints && { ca: constraints.ca, pathLength: constraints.pathLength ?? null },
    keyUsage: certificate.getExtension(x509.KeyUsagesExtension)?.usages ?? null,
    extendedKeyUsage: certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String) ?? null,
    signed: await certificate.verify({ publicKey: signer.publicKey, signatureOnly: true }),
  };
}

async function readRequest(der: string): Promise<Answers["requests"][number]> {
  const request = new x509.Pkcs10CertificateRequest(bytes(der));
  const extension = request.getExtension(SUBJECT_ALTERNATIVE_NAME);
  const alternatives = extension && new x509.SubjectAlternativeNameExtension(extension.rawData);
  return {
    subject: request.subject,
    publicKey: base64(request.publicKey.rawData),
    critical: alternatives?.critical ?? false,
    uris: names(alternatives).uris,
    signed: await request.verify(),
  };
}

function readList(der: string): Answers["lists"][number] {
  const list = new x509.X509Crl(bytes(der));
  return { nextUpdate: list.nextUpdate?.getTime() ?? null, serials: list.entries.map((entry) => entry.serialNumber) };
}

function names(extension: x509.SubjectAlternativeNameExtension | null): { uris: string[]; dnsNames: string[] } {
  const of = (type: string) =>
    (extension?.names.items ?? []).filter((name) => name.type === type).map(({ value }) => value);
  return { uris: of(x509.URL), dnsNames: of(x509.DNS) };
}

async function makeCertificate(template: CertificateTemplate): Promise<string> {
  const alternatives = [
    ...template.uris.map((value) => ({ type: "url" as const, value })),
    ...template.dnsNames.map((value) => ({ type: "dns" as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: template.serial,
    issuer,
    subject: template.subject,
    notBefore: new Date(template.notBefore),
    notAfter: new Date(template.notAfter),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      ...alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives, template.critical)],
      ...template.basicConstraints === null ? [] : [
        new x509.BasicConstraintsExtension(
          template.basicConstraints.ca,
          template.basicConstraints.pathLength ?? undefined,
          template.critical,
        ),
      ],
      ...template.keyUsage === null ? [] : [new x509.KeyUsagesExtension(template.keyUsage, template.critical)],
      ...template.extendedKeyUsage === null ? [] : [new x509.ExtendedKeyUsageExtension([...template.extendedKeyUsage], false)],
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return base64(certificate.rawData);
}

async function makeList({ serials, nextUpdate }: RevocationList): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer,
    thisUpdate: new Date(0),
    ...nextUpdate === null ? {} : { nextUpdate: new Date(nextUpdate) },
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(0) })),
    signingAlgorithm: ALGORITHM,
    signingKey: keys.privateKey,
  });
  return base64(list.rawData);
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(text);
}

function base64(data: ArrayBuffer): string {
  return new Uint8Array(data).toBase64();
}
