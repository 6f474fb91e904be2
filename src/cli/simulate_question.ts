/** What `ztunnel simulate` asks. */

/** A file as it was read. `name`: its name in messages. */
interface PolicyFile {
  readonly name: string;
  readonly text: string;
}

/** What is asked. */
export interface SimulateQuestion {
  readonly files: readonly PolicyFile[];
  /** `[PeerAuthentication/]NAMESPACE/NAME` each. */
  readonly deletions: readonly string[];
  readonly root: string;
}
