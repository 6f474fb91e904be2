/**
 * Decodes resources of the control plane into changes of the mesh (`docs/spec/xds-state.md` 1.3 to 1.8). A resource that
 * cannot be used does not affect the others of its response.
 */
import type { MeshChange } from "../mesh/model/changes.ts";
import { policyKey } from "../mesh/model/model.ts";
import { decodePolicy } from "./decode_policy.ts";
import { decodeService } from "./decode_service.ts";
import { decodeWorkload } from "./decode_workload.ts";
import { MeshReader, Unacceptable } from "./mesh_reader.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "./resources.ts";
import { Malformed } from "./wire_reader.ts";

/** The result for one resource. */
export type Decoded =
  | {
    readonly ok: true;
    readonly change: MeshChange;
    /** A warning for the log; null: none. */
    readonly warning: string | null;
  }
  | {
    readonly ok: false;
    /** `malformed`: not a valid message; `unacceptable`: a valid message with values that cannot be used. */
    readonly why: "unacceptable" | "malformed";
    /** The text for the NACK, without the name. */
    readonly reason: string;
  };

/** Decodes one resource at a time and shares equal values between them. */
export class ResourceDecoder {
  readonly #reader: MeshReader;

  /** `texts`: the number of texts in the cache, a power of two. */
  constructor(texts: number) {
    this.#reader = new MeshReader(texts);
  }

  /** Decodes a resource. `name`: the key of a policy. `body`: the payload, which is not kept. Never throws. */
  decode(type: ResourceType, name: string, body: Uint8Array): Decoded {
    try {
      this.#reader.open(body);
      switch (type) {
        case ADDRESS_TYPE:
          return { ok: true, change: this.#address(), warning: null };
        case AUTHORIZATION_TYPE:
          return this.#policy(name);
        default:
          return type satisfies never;
      }
    } catch (error) {
      if (error instanceof Unacceptable) return { ok: false, why: "unacceptable", reason: error.message };
      if (error instanceof Malformed) return { ok: false, why: "malformed", reason: `decode: ${error.message}` };
      throw error;
    }
  }

  /** Reads `istio.workload.Address`; the last one of several members of the oneof counts. */
  #address(): MeshChange {
    let change: MeshChange | null = null;
    const reader = this.#reader;
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field > 2) {
        reader.skip();
        continue;
      }
      const outer = reader.enter();
      change = field === 1 ? decodeWorkload(reader) : decodeService(reader);
      reader.leave(outer);
    }
    if (change === null) throw new Unacceptable("unknown address type");
    return change;
  }

  #policy(name: string): Decoded {
    const { policy, ignored } = decodePolicy(this.#reader);
    const warning = ignored === 0 ? null : `policy ${name}: ${counted(ignored)} ignored`;
    return { ok: true, change: { kind: "policy", key: policyKey(name), policy }, warning };
  }
}

function counted(values: number): string {
  return values === 1 ? "1 value that means nothing was" : `${values} values that mean nothing were`;
}
