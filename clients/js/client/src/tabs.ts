// One connection for all tabs of a user: the tab that has the lock leads, and passes on what comes.

import type { MessageFrame } from "./frames.js";
import { type Channel, type Host, Timer } from "./host.js";
import type { Store } from "./handled.js";
import type { State } from "./state.js";

/** How long a leader may leave a question unanswered, in milliseconds. It is frozen then. */
const FROZEN_MS = 2000;

type Note =
  | { type: "message"; frame: MessageFrame; log: string | undefined }
  | { type: "state"; state: State }
  | { type: "look" | "poke" };

export interface TabsListener {
  /** This tab has the connection from now on. */
  lead(): void;
  /** It has it no longer. */
  yield(): void;
  message(frame: MessageFrame, log: string | undefined): void;
  state(state: State): void;
  /** The user looks at another tab. */
  looked(): void;
  poke(): void;
  /** What a leader answers. */
  now(): State;
}

export class Tabs {
  readonly #host: Host;
  readonly #name: string;
  readonly #store: Store | undefined;
  readonly #listener: TabsListener;
  readonly #question: Timer;
  readonly #key: string;
  readonly #id: string;
  #named: string | undefined;
  #channel: Channel | undefined;
  #waiting: AbortController | undefined;
  #release: (() => void) | undefined;

  constructor(host: Host, name: string, store: Store | undefined, listener: TabsListener) {
    this.#host = host;
    this.#name = name;
    this.#store = store;
    this.#listener = listener;
    this.#question = new Timer(host);
    this.#key = `${name}:leader`;
    this.#id = host.Math.random().toString(36).slice(2);
  }
  get leading(): boolean {
    return this.#release !== undefined;
  }
  static possible({ navigator, BroadcastChannel }: Host): boolean {
    return !!navigator?.locks && !!BroadcastChannel;
  }

  start(): void {
    const channel = new this.#host.BroadcastChannel!(this.#name);
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#hear(data as Note);
    this.#request(false);
    this.ask("look");
  }
  stop(): void {
    this.#question.clear();
    this.#channel?.close();
    this.#channel = undefined;
    this.#waiting?.abort();
    this.#release?.();
    this.#release = undefined;
  }
  /**
   * Tells whether this tab leads still. One that slept may not have heard yet that its lock was
   * taken; who took it has left its name in the store. A leader that finds another's name there
   * gives the lock back and queues: whoever is next writes its own.
   */
  confirm(): boolean {
    if (!this.#release) return false;
    if (this.#named === this.#read()) return true;
    this.#release();
    this.#yield();
    return false;
  }
  /** Tells the other tabs, if this one leads. */
  share(note: Note): void {
    if (this.#release) this.#say(note);
  }
  /** Asks the leader to see to the connection. One that does not answer is frozen, and loses it. */
  ask(type: "look" | "poke"): void {
    this.#say({ type });
    const asked = this.#host.Date.now();
    this.#question.set(FROZEN_MS, () => {
      // A tab that slept itself cannot judge: it asks again.
      if (this.#host.Date.now() - asked > 2 * FROZEN_MS) this.ask(type);
      else this.#request(true);
    });
  }

  #say(note: Note): void {
    this.#channel?.postMessage(note);
  }

  #hear(note: Note): void {
    if (this.#release) {
      if (note.type === "poke") this.#listener.poke();
      if (note.type === "look") this.#listener.looked();
      if (note.type !== "message" && note.type !== "state") {
        this.#say({ type: "state", state: this.#listener.now() });
      }
      return;
    }
    if (note.type === "message" || note.type === "state") this.#question.clear();
    if (note.type === "message") this.#listener.message(note.frame, note.log);
    if (note.type === "state") this.#listener.state(note.state);
  }

  #request(steal: boolean): void {
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    const options = steal ? { steal } : { signal: waiting.signal };
    this.#host.navigator!.locks!.request(this.#name, options, () => this.#hold(waiting)).catch((error) => {
      if (waiting.signal.aborted) return;
      if (this.#release) this.#yield();
      else if (error?.name === "AbortError") this.#request(false);
      // This page may have no locks: it has a connection of its own.
      else void this.#hold(waiting);
    });
  }
  /** Leads until it is released. */
  #hold(waiting: AbortController): Promise<void> {
    if (waiting.signal.aborted) return Promise.resolve();
    return new Promise((release) => {
      this.#release = release;
      this.#question.clear();
      this.#named = this.#write();
      this.#listener.lead();
    });
  }
  #yield(): void {
    this.#release = undefined;
    this.#listener.yield();
    this.#request(false);
  }
  /** Writes this tab's name; returns what is read from then on while it leads. */
  #write(): string | undefined {
    try {
      this.#store?.set(this.#key, this.#id);
    } catch {
      // The store is full or forbidden: the lock alone decides.
    }
    return this.#read();
  }
  #read(): string | undefined {
    try {
      return this.#store?.get(this.#key) ?? undefined;
    } catch {
      return undefined;
    }
  }
}
