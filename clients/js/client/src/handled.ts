// Remembers what was handled, so that a message that comes twice is handled once.

import type { MessageFrame } from "./frames.js";

/** Where a number survives a reload. */
export interface Store {
  get(key: string): string | null | undefined;
  set(key: string, value: string): void;
}

/** How many ids are kept: a producer's repeat has the id of the first, and a higher sequence. */
const IDS = 1000;

export class Handled {
  readonly #store: Store | undefined;
  readonly #name: string;
  readonly #ids = new Set<string>();
  #log: string | undefined;
  #sequence = 0;
  #generation = 0;

  constructor(name: string, store: Store | undefined) {
    this.#name = name;
    this.#store = store;
  }
  get log(): string | undefined {
    return this.#log;
  }
  /** Changes when all that was known stopped being true. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Takes the gateway's log. Sequences come from a clock: those of a database that was made anew
   * may begin below the old ones, and are no repeats.
   */
  begin(log: string | undefined): void {
    if (log === undefined) return;
    if (this.#log !== undefined && this.#log !== log) {
      this.#sequence = 0;
      this.#ids.clear();
      this.#generation += 1;
    }
    this.#log = log;
  }
  /** Tells whether any tab has handled it; `here`: whether this one has. */
  has({ sequence, messageId }: MessageFrame, here: boolean): boolean {
    return sequence <= (here ? this.#sequence : this.#highest()) || this.#ids.has(messageId);
  }
  /** Takes a message as handled that was begun in `generation`. */
  add(frame: MessageFrame, generation: number): void {
    if (!this.pass(frame, generation)) return;
    this.#ids.add(frame.messageId);
    if (this.#ids.size > IDS) this.#ids.delete(this.#ids.values().next().value as string);
  }
  /** Takes a message as done with. Sent again by an operator, it is handled. */
  pass({ sequence }: MessageFrame, generation: number): boolean {
    if (generation !== this.#generation) return false;
    this.#sequence = Math.max(sequence, this.#sequence);
    if (this.#log !== undefined) {
      try {
        this.#store?.set(this.#key, String(this.#highest()));
      } catch {
        // The store is full or forbidden: this tab's memory serves until the reload.
      }
    }
    return true;
  }

  /** Returns the highest that this tab or the store knows: another tab may have led meanwhile. */
  #highest(): number {
    if (this.#log === undefined) return this.#sequence;
    try {
      return Math.max(this.#sequence, Number(this.#store?.get(this.#key)) || 0);
    } catch {
      return this.#sequence;
    }
  }
  get #key(): string {
    return `${this.#name}:${this.#log}`;
  }
}
