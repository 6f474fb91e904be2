/** What each generated message offers. */
export interface Codec<Message> {
  /** Bytes of the message: `encode(message).finish()`. Only a value's own properties are looked at. */
  encode(message: Sparse<Message>): { finish(): Uint8Array };
  /**
   * Skips unknown fields and fields of an unexpected wire type. Fields that are not there have proto3's default, which
   * stands on the prototype. Byte fields are views of `bytes`.
   *
   * @throws {Error} truncated, malformed, text that is not UTF-8, or nested deeper than 100 messages
   */
  decode(bytes: Uint8Array): Message;
}

/** A message with nothing but what is to be sent. */
export type Sparse<T> = T extends Uint8Array | string | number | boolean | null | undefined ? T
  : T extends readonly (infer Element)[] ? readonly Sparse<Element>[]
  : { readonly [Key in keyof T]?: Sparse<T[Key]> | undefined };
