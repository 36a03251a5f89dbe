// Keeps one connection up: dials, waits with back-off, and finds out when a connection is dead.

import type { Backoff } from "./backoff.js";
import { Connection, type ConnectionListener, type ConnectionOptions, type End } from "./connection.js";
import type { Frame, MessageFrame } from "./frames.js";
import { type Host, Timer } from "./host.js";
import type { State } from "./state.js";
import type { TokenRequest } from "./token.js";

/** Close codes that coming back would only repeat: a fault of the client, the login's end, too many connections. */
const FINAL: Record<number, string> = {
  1008: "this client broke the protocol",
  4401: "the login has ended: log in again",
  4408: "the user has too many connections",
};
export const DISPLACED = 4408;

/** One dial without a wait in this time, in milliseconds; the ticks that notice a sleep; how late one is then. */
const IMMEDIATE_MS = 5000;
const TICK_MS = 5000;
const LATE_MS = 15_000;
/** An answer to a probe comes in this time, in milliseconds. It doubles with each one that fails in a row. */
const ANSWER_MS = 5000;
const ANSWER_MAX_MS = 60_000;
/** Silence on an open connection that asks for a probe, in milliseconds: of a visible page, of others. */
const SILENCE_VISIBLE_MS = 30_000;
const SILENCE_MS = 60_000;

export interface DialerListener {
  state(state: State): void;
  message(frame: MessageFrame, connection: Connection): void;
  hello(frame: Frame & { type: "hello" }): void;
  posted(text: string): void;
  /** An attempt failed, or a connection ended without this side's will. */
  failed(end: End): void;
}

export class Dialer implements ConnectionListener {
  readonly #options: Omit<ConnectionOptions, "reason">;
  readonly #host: Host;
  readonly #backoff: Backoff;
  readonly #listener: DialerListener;
  readonly #wait: Timer;
  readonly #stable: Timer;
  readonly #tick: Timer;
  #connection: Connection | undefined;
  #state: State = { name: "idle" };
  #immediate = -Infinity;
  #unanswered = 0;

  constructor(options: Omit<ConnectionOptions, "reason">, backoff: Backoff, listener: DialerListener) {
    this.#options = options;
    this.#host = options.host;
    this.#backoff = backoff;
    this.#listener = listener;
    this.#wait = new Timer(this.#host);
    this.#stable = new Timer(this.#host);
    this.#tick = new Timer(this.#host);
  }
  get state(): State {
    return this.#state;
  }

  start(): void {
    const { name } = this.#state;
    if (name !== "idle" && name !== "stopped") return;
    this.#watch(this.#host.Date.now());
    this.#dial("start");
  }
  stop(): void {
    this.#rest({ name: "idle" });
  }
  /** Finds out at once whether the connection lives; where there is none, dials. */
  poke(): void {
    if (this.#state.name === "stopped") this.start();
    else if (this.#state.name === "waiting") this.#dialSoon("wake");
    else this.#probe();
  }

  opened(): void {
    this.#stable.set(this.#backoff.stableAfter, () => this.#backoff.reset());
    this.#become({ name: "open" });
  }
  frame(frame: Exclude<Frame, MessageFrame>): void {
    this.#unanswered = 0;
    if (frame.type === "hello") {
      this.#become({ name: "catching-up" });
      this.#listener.hello(frame);
    } else if (frame.type === "caughtup") {
      this.#become({ name: "open" });
    }
  }
  message(frame: MessageFrame, connection: Connection): void {
    this.#unanswered = 0;
    this.#listener.message(frame, connection);
  }
  posted(text: string): void {
    this.#listener.posted(text);
  }
  ended(end: End): void {
    if (!this.#forget()) return;
    const { fault, code } = end;
    const why = FINAL[code] ?? end.why;
    this.#listener.failed({ ...end, why });
    if (FINAL[code] || fault?.terminal) this.#rest({ name: "stopped", code, why });
    else this.#retry(why, (fault?.retryAfter ?? 0) * 1000);
  }

  #dial(reason: TokenRequest["reason"]): void {
    this.#wait.clear();
    this.#become({ name: "connecting" });
    const connection = new Connection({ ...this.#options, reason }, this);
    this.#connection = connection;
    void connection.dial();
  }
  /** Dials at once, unless that was so a moment ago. */
  #dialSoon(reason: TokenRequest["reason"]): boolean {
    const now = this.#host.Date.now();
    if (Math.abs(now - this.#immediate) < IMMEDIATE_MS) return false;
    this.#immediate = now;
    this.#dial(reason);
    return true;
  }
  /** Lets go of the connection, which then ends without a word of it. */
  #forget(): Connection | undefined {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#stable.clear();
    if (connection?.acknowledged) this.#backoff.reset();
    return connection;
  }
  #retry(why: string, least: number): void {
    const wait = Math.max(this.#backoff.next(), least);
    this.#wait.set(wait, () => this.#dial("retry"));
    this.#become({ name: "waiting", retryAt: this.#host.Date.now() + wait, why });
  }
  #rest(state: State): void {
    const connection = this.#forget();
    this.#wait.clear();
    this.#tick.clear();
    this.#become(state);
    connection?.drop("stopped");
  }

  /** A tick that comes far too late was slept through. */
  #watch(since: number): void {
    this.#tick.set(TICK_MS, () => {
      const now = this.#host.Date.now();
      this.#watch(now);
      const limit = this.#host.document?.visibilityState === "visible" ? SILENCE_VISIBLE_MS : SILENCE_MS;
      if (now - since > TICK_MS + LATE_MS) this.poke();
      else if (this.#connection?.opened && this.#connection.silence >= limit) this.#probe();
    });
  }
  #probe(): void {
    const connection = this.#connection;
    connection?.probe(Math.min(ANSWER_MAX_MS, ANSWER_MS * 2 ** this.#unanswered), () => {
      this.#unanswered += 1;
      this.#forget();
      connection.drop("no answer");
      if (!this.#dialSoon("wake")) this.#retry("no answer", 0);
    });
  }
  #become(state: State): void {
    if (state.name === this.#state.name && state.name !== "waiting") return;
    this.#state = state;
    this.#listener.state(state);
  }
}
