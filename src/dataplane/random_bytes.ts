/** Random bytes from the system, fetched in batches: a call for each use would cost more than the use itself. */

const BATCH = 4096;

/** A function that fills an array of at most {@link BATCH} bytes. No byte is handed out twice. */
export function randomBytes(fetch: (bytes: Uint8Array<ArrayBuffer>) => void): (bytes: Uint8Array<ArrayBuffer>) => void {
  const batch = new Uint8Array(BATCH);
  let used = BATCH;
  return (bytes) => {
    if (used + bytes.length > BATCH) {
      fetch(batch);
      used = 0;
    }
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = batch[used]!;
      batch[used++] = 0;
    }
  };
}
