/** What the TLS contexts and sessions of one thread share. */
import { readCString } from "./libc.ts";
import { TlsCallbacks } from "./tls_callbacks.ts";
import { RecordSuite } from "./record_suite.ts";
import type { TlsLibrary } from "./tls_library.ts";
import type { NativeTlsPolicy } from "./tls_settings.ts";
import { VerifiedPaths } from "./verified_paths.ts";

/** The library with this thread's callbacks and caches. */
export class TlsThread {
  readonly library: TlsLibrary;
  readonly policy: NativeTlsPolicy;
  readonly callbacks: TlsCallbacks;
  /** The algorithm of the digests in keys of {@link paths}. */
  readonly sha256: Deno.PointerValue;
  readonly paths = new VerifiedPaths();
  /** How many contexts were made: the number of the next one. */
  contexts = 0;
  readonly #suites = new Map<string, RecordSuite | null>();
  readonly #constants = new Map<bigint, string>();
  readonly #groups = new Map<number, string>();

  constructor(library: TlsLibrary, policy: NativeTlsPolicy) {
    this.library = library;
    this.policy = policy;
    this.sha256 = library.crypto.EVP_sha256();
    this.callbacks = new TlsCallbacks(library);
  }

  /** The suite of that name, null where records must stay with the library. */
  recordSuite(name: string): RecordSuite | null {
    let suite = this.#suites.get(name);
    if (suite === undefined) this.#suites.set(name, suite = RecordSuite.open(this.library.crypto, name));
    return suite;
  }

  /** Call it only when all contexts and sessions have been freed. */
  close(): void {
    this.callbacks.close();
    for (const suite of this.#suites.values()) suite?.free();
    this.#suites.clear();
  }

  /** The text of a string that the library never frees or changes. There are few, and each is read once. */
  constantText(pointer: Deno.PointerValue): string {
    const address = Deno.UnsafePointer.value(pointer);
    let text = this.#constants.get(address);
    if (text === undefined) this.#constants.set(address, text = readCString(pointer));
    return text;
  }

  /** The name of a key exchange group, empty when the library has no names. `group`: the library's number of it. */
  groupName(ssl: Deno.PointerValue, group: number): string {
    const { SSL_group_to_name } = this.library.ssl;
    let name = this.#groups.get(group);
    if (name === undefined) {
      this.#groups.set(group, name = SSL_group_to_name === null ? "" : readCString(SSL_group_to_name(ssl, group)));
    }
    return name;
  }
}
