import { type GuestMessage, type HostMessage, initialCreditBytes } from "@box/guest/protocol";

/**
 * What a guest may still send on one stream. As long as it keeps to that, nothing piles up on the way to a reader that is slow,
 * and no answer is longer than what it answers.
 */
export class StreamFlow {
  readonly #mayCome = { out: initialCreditBytes, err: initialCreditBytes };
  /** Bytes that it was sent and has not given credit for again. */
  #sentBytes = 0;
  #isClosed = false;

  /** Counts what the guest is told. */
  tell(message: HostMessage): void {
    if (message.type === "credit") this.#mayCome[message.channel] += message.bytes;
    else if (message.type === "data") this.#sentBytes += message.bytes.byteLength;
  }

  /** Counts what the guest tells. @throws Error when that was not agreed. */
  hear(message: GuestMessage): void {
    switch (message.type) {
      case "out":
      case "err":
        this.#mayCome[message.type] -= message.bytes.byteLength;
        if (this.#mayCome[message.type] < 0) throw new Error("more output than it may send");
        break;
      case "credit":
        this.#sentBytes -= message.bytes;
        if (this.#sentBytes < 0) throw new Error("credit for more input than it was sent");
        break;
      case "closed":
        if (this.#isClosed) throw new Error("the end of an input that has ended");
        this.#isClosed = true;
        break;
      default: // Comes once, or changes nothing.
    }
  }
}
