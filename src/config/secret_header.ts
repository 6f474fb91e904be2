/** Whether the value of a header may be a secret and must not be shown, judged by its name (`docs/spec/identity-spire.md` S31). */
export function mayBeSecret(header: string): boolean {
  return /auth|token|cookie|secret|password|key/i.test(header);
}
