/** Hashes of keys. The seed differs between processes, so that nobody can choose names with equal hashes. */

const PRIME = 0x01000193;

/** The hash of a text. */
export function hashOfText(seed: number, text: string): number {
  return mixed(absorbed(seed, text));
}

/** The hash of an address within a network. */
export function hashOfAddress(seed: number, network: string, ip: string): number {
  return mixed(absorbed(absorbed(seed, network) ^ network.length, ip));
}

/** FNV-1a over UTF-16 units. */
function absorbed(hash: number, text: string): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash;
}

/** Spreads differences of the last characters over all bits (the last step of MurmurHash3). */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
