// What a page can show of its connection.

export type State =
  | { name: "idle" }
  | { name: "connecting" }
  /** Connected; what was pending is still coming. */
  | { name: "catching-up" }
  | { name: "open" }
  /** Disconnected; `retryAt` is the time of the next dial, as `Date.now()` has it. */
  | { name: "waiting"; retryAt: number; why: string }
  /** Ended until `start()` or `poke()`; `code` is the close code, or 0 where the token's provider said so. */
  | { name: "stopped"; code: number; why: string };
