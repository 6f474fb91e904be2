/** Whether the value of a configured header is better not shown, by its name (`docs/spec/identity-spire.md` S31). */
export function mayBeSecret(header: string): boolean {
  return /auth|token|cookie|secret|password|key/i.test(header);
}
