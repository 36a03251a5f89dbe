// Hands messages to the page's handler: one at a time, in order, each once.

import type { Connection } from "./connection.js";
import type { MessageFrame } from "./frames.js";
import type { Handled } from "./handled.js";

/** Rejections of one message until the page is asked whether to skip it. */
const REJECTIONS = 3;

export interface InboxOptions {
  handled: Handled;
  /** When a message is acknowledged: behind its handler, or when it has come. */
  ack: "handled" | "received";
  /** `replica`: another tab has the connection, and acknowledges. */
  handle(frame: MessageFrame, replica: boolean): unknown;
  /** Whether this tab has the connection still. */
  leads(): boolean;
  /** Called behind the handler, and before the acknowledgement. */
  done(frame: MessageFrame): void;
  /** `skip` is there when the message was rejected too often. */
  rejected(frame: MessageFrame, error: unknown, skip?: () => void): void;
}

interface Item {
  frame: MessageFrame;
  /** What brought it; undefined: another tab, which has handled it. */
  connection: Connection | undefined;
}

export class Inbox {
  readonly #options: InboxOptions;
  readonly #items: Item[] = [];
  #runs = false;
  #rejected = { sequence: 0, times: 0 };

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  push(frame: MessageFrame, connection?: Connection): void {
    this.#items.push({ frame, connection });
    if (!this.#runs) void this.#run();
  }

  async #run(): Promise<void> {
    this.#runs = true;
    for (let item; (item = this.#items.shift()); ) await this.#take(item);
    this.#runs = false;
  }

  async #take({ frame, connection }: Item): Promise<void> {
    const { handled, ack, leads, done } = this.#options;
    if (connection?.ended) return;
    if (connection && !leads()) return;
    if (handled.has(frame, !connection)) return connection?.acknowledge(frame.sequence);
    const { generation } = handled;
    const early = !connection || ack === "received";
    if (early) {
      handled.add(frame, generation);
      connection?.acknowledge(frame.sequence);
    }
    const taken = await this.#handle(frame, !connection);
    if (taken && !early) handled.add(frame, generation);
    if (taken && connection) {
      done(frame);
      connection.acknowledge(frame.sequence);
    }
    if (!taken && !early) connection.drop("a message was not handled");
  }

  /** Returns whether the handler took it. */
  async #handle(frame: MessageFrame, replica: boolean): Promise<boolean> {
    try {
      await this.#options.handle(frame, replica);
      return true;
    } catch (error) {
      this.#reject(frame, error);
      return false;
    }
  }

  #reject(frame: MessageFrame, error: unknown): void {
    const { handled, rejected } = this.#options;
    const { sequence } = frame;
    const times = this.#rejected.sequence === sequence ? this.#rejected.times + 1 : 1;
    this.#rejected = { sequence, times };
    const { generation } = handled;
    rejected(frame, error, times < REJECTIONS ? undefined : () => void handled.pass(frame, generation));
  }
}
