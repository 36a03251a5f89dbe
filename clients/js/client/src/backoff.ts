// How long to wait before the next dial: full jitter, so that clients come back spread out.

export interface BackoffOptions {
  /** The ceiling of the first wait, in milliseconds: 500. */
  base?: number;
  /** The ceiling of every wait, in milliseconds: 30 000. */
  max?: number;
  /** How long a connection lives before it counts as good, in milliseconds: 10 000. */
  stableAfter?: number;
}

export class Backoff {
  readonly stableAfter: number;
  readonly #base: number;
  readonly #max: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions, random: () => number) {
    this.#base = options.base ?? 500;
    this.#max = options.max ?? 30_000;
    this.stableAfter = options.stableAfter ?? 10_000;
    this.#random = random;
  }
  /** Returns the next wait, in milliseconds. */
  next(): number {
    return this.#random() * Math.min(this.#max, this.#base * 2 ** this.#failures++);
  }
  reset(): void {
    this.#failures = 0;
  }
}
