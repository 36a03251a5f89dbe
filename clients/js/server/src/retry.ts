// Tries again what the gateway could not do just now.

import type { SendError } from "./send_error.js";

export interface RetryOptions {
  /**
   * How long a call may try, in milliseconds: 60 000. The gateway remembers a `deduplicationId` for
   * 5 minutes; a retry behind that could send the message twice.
   */
  retryFor?: number;
  /** How long one attempt may take, in milliseconds: 10 000. */
  timeout?: number;
  /** The ceilings of the first wait and of every wait, in milliseconds: 250 and 30 000. */
  backoff?: { base?: number; max?: number };
}

/** What one attempt came to: done, or to be tried again, at the earliest after `retryAfter` ms. */
export type Attempt<T> = { done: T } | { again: SendError; retryAfter: number };

const wait = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop);
  });

/** Calls `attempt` until it is done, or the time is up: then it throws the last error. */
export async function retry<T>(
  { retryFor = 60_000, backoff: { base = 250, max = 30_000 } = {} }: RetryOptions,
  signal: AbortSignal | undefined,
  attempt: () => Promise<Attempt<T>>,
): Promise<T> {
  const end = Date.now() + retryFor;
  for (let failures = 0; ; failures += 1) {
    signal?.throwIfAborted();
    const outcome = await attempt();
    if ("done" in outcome) return outcome.done;
    // Full jitter: producers that were refused together do not come back together.
    const ms = Math.max(Math.random() * Math.min(max, base * 2 ** failures), outcome.retryAfter);
    if (Date.now() + ms > end) throw outcome.again;
    await wait(ms, signal);
  }
}
