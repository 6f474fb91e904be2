import { strict as assert } from "node:assert";
import { createDecipheriv, createHmac } from "node:crypto";
import { openTlsLibrary } from "./open_tls_library.ts";
import { RecordCipher } from "./record_cipher.ts";
import { memoryForSecret, RecordSuite } from "./record_suite.ts";

// Outside of the tests: a library stays in the process.
const { crypto } = openTlsLibrary();
const SUITES = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"] as const;
const ALERT = 21, DATA = 23;
const fromHex = (text: string) => Uint8Array.fromHex(text.replace(/\s/g, ""));

function copyOf(secret: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = memoryForSecret(secret.length);
  copy.set(secret);
  return copy;
}

/** Both directions of one secret, until the end of `body`. */
function withCiphers(
  suite: string,
  secret: Uint8Array,
  body: (send: RecordCipher, receive: RecordCipher, suite: RecordSuite) => void,
): void {
  const opened = RecordSuite.open(crypto, suite)!;
  const send = new RecordCipher(opened, copyOf(secret), "send");
  const receive = new RecordCipher(opened, copyOf(secret), "receive");
  body(send, receive, opened);
  for (const owned of [send, receive, opened]) owned.free();
}

function sealed(cipher: RecordCipher, type: number, data: Uint8Array): Uint8Array {
  const into = new Uint8Array(data.length + 100);
  return into.slice(0, cipher.seal(type, data, into, 0));
}

/** Null: it is not authentic. */
function opened(cipher: RecordCipher, record: Uint8Array): Uint8Array | null {
  const into = new Uint8Array(record.length).fill(0xaa);
  const size = cipher.open(record, 0, record.length - 5, into);
  return size < 0 ? null : into.slice(0, size);
}

/** RFC 8448 §3: the secrets, the first data and the alert of the client and, after a ticket, of the server. */
const CLIENT_SECRET = fromHex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
const SERVER_SECRET = fromHex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
const PAYLOAD = Uint8Array.from({ length: 50 }, (_, i) => i);
const CLIENT_DATA = fromHex(
  `17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 6b
   39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4`,
);
const CLIENT_ALERT = fromHex("17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3");
const SERVER_DATA = fromHex(
  `17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36 e3 0e fa f9 7d 90 e6
   df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67 c2 95 5d`,
);

Deno.test("records, RFC 8448 §3: keys and nonces of both secrets", () => {
  withCiphers("TLS_AES_128_GCM_SHA256", CLIENT_SECRET, (_send, _receive, suite) => {
    const derived = (secret: Uint8Array<ArrayBuffer>, label: string, size: number) => {
      const into = new Uint8Array(size);
      suite.expand(secret, label, into);
      return into.toHex();
    };
    assert.equal(derived(CLIENT_SECRET, "key", 16), "17422dda596ed5d9acd890e3c63f5051");
    assert.equal(derived(CLIENT_SECRET, "iv", 12), "5b78923dee08579033e523d9");
    assert.equal(derived(SERVER_SECRET, "key", 16), "9f02283b6c9c07efc26bb9f2ac92e356");
    assert.equal(derived(SERVER_SECRET, "iv", 12), "cf782b88dd83549aadf1e984");
  });
});

Deno.test("records, RFC 8448 §3: data and alert of the client are made and opened", () =>
  withCiphers("TLS_AES_128_GCM_SHA256", CLIENT_SECRET, (send, receive) => {
    assert.deepEqual(sealed(send, DATA, PAYLOAD), CLIENT_DATA);
    assert.deepEqual(sealed(send, ALERT, Uint8Array.of(1, 0)), CLIENT_ALERT);
    assert.deepEqual(opened(receive, CLIENT_DATA), Uint8Array.of(...PAYLOAD, DATA));
    assert.deepEqual(opened(receive, CLIENT_ALERT), Uint8Array.of(1, 0, ALERT));
    assert.deepEqual([send.records, receive.records], [2, 2]);
  }));

Deno.test("records, RFC 8448 §3: the second record of the server opens as the second one only", () => {
  withCiphers("TLS_AES_128_GCM_SHA256", SERVER_SECRET, (send, receive) => {
    sealed(send, DATA, PAYLOAD);
    assert.deepEqual(sealed(send, DATA, PAYLOAD), SERVER_DATA);
    assert.equal(opened(receive, SERVER_DATA), null);
    assert.deepEqual(opened(receive, SERVER_DATA), Uint8Array.of(...PAYLOAD, DATA));
  });
});

/** HKDF-Expand-Label by another implementation (RFC 8446 §7.1). */
function expandLabel(hash: string, secret: Uint8Array, label: string, size: number): Uint8Array {
  const text = new TextEncoder().encode(`tls13 ${label}`);
  return new Uint8Array(createHmac(hash, secret).update(Uint8Array.of(0, size, text.length, ...text, 0, 1)).digest())
    .slice(0, size);
}

for (const suite of SUITES) {
  const long = suite.endsWith("384");
  const hash = long ? "sha384" : "sha256", size = long ? 48 : 32;
  const secret = new Uint8Array(size).map((_, i) => 7 * i + 1);

  Deno.test(`records with ${suite}: another implementation decrypts them, before and after a key update`, () =>
    withCiphers(suite, secret, (send) => {
      const next = expandLabel(hash, secret, "traffic upd", size);
      for (const now of [secret, next]) {
        const key = expandLabel(hash, now, "key", suite.includes("128") ? 16 : 32),
          iv = expandLabel(hash, now, "iv", 12);
        for (let number = 0; number < 300; number++) {
          const data = new Uint8Array(number).fill(number);
          const record = sealed(send, DATA, data);
          const nonce = iv.slice();
          nonce[11]! ^= number;
          nonce[10]! ^= number >> 8;
          assert.equal(decrypt(suite, key, nonce, record), Uint8Array.of(...data, DATA).toHex(), `record ${number}`);
        }
        send.update();
        assert.equal(send.records, 0);
      }
    }));

  Deno.test(`records with ${suite}: any changed bit is noticed, and no byte of the content is left`, () => {
    withCiphers(suite, secret, (send) => {
      const record = sealed(send, DATA, PAYLOAD);
      for (let bit = 0; bit < 8 * record.length; bit++) {
        // Another length is another part of the stream, which is found when that is read.
        if (bit >> 3 === 3 || bit >> 3 === 4) continue;
        withCiphers(suite, secret, (_send, receive) => {
          const changed = record.slice();
          changed[bit >> 3]! ^= 1 << (bit & 7);
          const into = new Uint8Array(100).fill(0xaa);
          assert.equal(receive.open(changed, 0, changed.length - 5, into), -1, `bit ${bit}`);
          assert.deepEqual(into.subarray(0, 51), new Uint8Array(51));
          assert.deepEqual(into.subarray(51), new Uint8Array(49).fill(0xaa));
        });
      }
    });
  });
}

function decrypt(suite: string, key: Uint8Array, nonce: Uint8Array, record: Uint8Array): string {
  const name = suite.includes("CHACHA") ? "chacha20-poly1305" : suite.includes("128") ? "aes-128-gcm" : "aes-256-gcm";
  const decipher = createDecipheriv(name as "aes-128-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(record.subarray(0, 5));
  decipher.setAuthTag(record.subarray(-16));
  const content = decipher.update(record.subarray(5, -16));
  decipher.final();
  return new Uint8Array(content).toHex();
}

Deno.test("records: no two of one key have the same nonce, also where one was not authentic or repeated", () =>
  withCiphers(SUITES[0], new Uint8Array(48), (send, receive) => {
    const records = Array.from({ length: 1000 }, () => sealed(send, DATA, PAYLOAD));
    // With one nonce, equal data would be equal records.
    assert.equal(new Set(records.map((record) => record.toHex())).size, 1000);
    assert.ok(opened(receive, records[0]!) !== null);
    assert.equal(opened(receive, records[0]!), null);
    assert.equal(opened(receive, records[1]!), null);
    assert.ok(opened(receive, records[3]!) !== null);
  }));

Deno.test("records: a freed cipher has overwritten its secret, and does nothing more", () => {
  const suite = RecordSuite.open(crypto, SUITES[0])!;
  const secret = copyOf(new Uint8Array(48).fill(1));
  const cipher = new RecordCipher(suite, secret, "send");
  assert.deepEqual(suite.key, new Uint8Array(32));
  cipher.free();
  cipher.free();
  assert.deepEqual(secret, memoryForSecret(48));
  assert.throws(() => sealed(cipher, DATA, PAYLOAD), /freed/);
  suite.free();
});

Deno.test("records: lengths beyond the memory are refused before the library gets them", () =>
  withCiphers(SUITES[0], new Uint8Array(48), (send, receive, suite) => {
    assert.throws(() => send.seal(DATA, PAYLOAD, new Uint8Array(71), 0), RangeError);
    const record = sealed(send, DATA, PAYLOAD);
    assert.throws(() => receive.open(record, 0, 68, new Uint8Array(100)), RangeError);
    assert.throws(() => receive.open(record, 1, 67, new Uint8Array(100)), RangeError);
    assert.throws(() => receive.open(record, 0, 15, new Uint8Array(100)), RangeError);
    assert.throws(() => receive.open(record, 0, 67, new Uint8Array(50)), RangeError);
    assert.throws(() => new RecordCipher(suite, copyOf(new Uint8Array(32)), "send"), RangeError);
    assert.deepEqual(opened(receive, record), Uint8Array.of(...PAYLOAD, DATA));
  }));

Deno.test("records: an unknown suite is left to the library", () => {
  assert.equal(RecordSuite.open(crypto, "TLS_AES_128_CCM_SHA256"), null);
});
