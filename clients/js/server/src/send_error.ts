// What a producer is told of a message that was not sent.

/** A refusal, or no answer. */
export class SendError extends Error {
  override readonly name = "SendError";
  /** The HTTP status; 0: there was no answer. */
  readonly status: number;
  /** The error's name, such as `LimitExceededException`. */
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}
