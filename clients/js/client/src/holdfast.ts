// The client: what a page makes, and listens to.

import { Backoff, type BackoffOptions } from "./backoff.js";
import type { End } from "./connection.js";
import { DISPLACED, Dialer } from "./dialer.js";
import type { MessageFrame } from "./frames.js";
import { Handled, type Store } from "./handled.js";
import type { Host, SocketConstructor } from "./host.js";
import { Inbox } from "./inbox.js";
import type { State } from "./state.js";
import { Tabs } from "./tabs.js";
import type { TokenProvider } from "./token.js";
import { openWebSocket } from "./websocket_transport.js";

export interface Message {
  /** The same each time that the message is sent. */
  readonly id: string;
  /** Rises over all messages of the user. */
  readonly sequence: number;
  /** When the gateway accepted it, in milliseconds since 1970. */
  readonly timestamp: number;
  readonly text: string;
  /** Another tab of this user has the connection, handled the message, and acknowledges it. */
  readonly replica: boolean;
  /** Returns the text as JSON. Throws where it is none. */
  json<T = unknown>(): T;
}

export type Handler = (message: Message, context: { signal: AbortSignal }) => unknown;

export interface HoldfastError {
  what: "connection" | "handler";
  message: string;
  /** The close code of a connection; 0 where there was none. */
  code?: number;
  cause?: unknown;
  /** There when the handler rejected one message three times: it is not handled again, and acknowledged. */
  skip?: () => void;
}

export interface Events {
  state: State;
  /** Messages expired while the user was away. */
  gap: { expired: number };
  /** A text that somebody posted to this connection. */
  posted: string;
  error: HoldfastError;
}

export interface Options {
  /** Gives a temporary token. It is called for every dial: a token opens one connection. */
  token: TokenProvider;
  /** Handles a message. It comes again when this throws or rejects. */
  onMessage?: Handler;
  /** Any name of who is logged in. Tabs that share a connection need it. */
  user?: string;
  /** Whether all tabs of the user share one connection. In browsers: `leader` where `user` is given. */
  tabs?: "leader" | "each";
  /** When a message is acknowledged: behind its handler (the default), or when it has come. */
  ack?: "handled" | "received";
  /** Keeps one number over reloads. Tabs that share a connection use `localStorage`. */
  store?: Store;
  backoff?: BackoffOptions;
  /** Where the platform has none, such as Node.js 20. */
  WebSocket?: SocketConstructor;
}

type Listeners = { [K in keyof Events]?: Set<(event: Events[K]) => void> };

export class Holdfast {
  readonly #host: Host;
  readonly #dialer: Dialer;
  readonly #inbox: Inbox;
  readonly #tabs: Tabs | undefined;
  readonly #listeners: Listeners = {};
  #handler: Handler | undefined;
  #state: State = { name: "idle" };
  #abort: AbortController | undefined;

  /** `url`: the gateway, such as `wss://gateway.example.com`. `host` is for tests. */
  constructor(url: string, options: Options, host: Host = globalThis as unknown as Host) {
    const { token, user = "", ack = "handled", backoff = {}, WebSocket } = options;
    const base = url.replace(/^http/, "ws").replace(/\/+$/, "");
    const name = `holdfast ${base} ${user}`;
    const shared = (options.tabs ?? (host.document && user ? "leader" : "each")) === "leader" && Tabs.possible(host);
    const store = options.store ?? (shared ? localStore(host) : undefined);
    const handled = new Handled(name, store);
    this.#host = host;
    this.#handler = options.onMessage;
    this.#inbox = new Inbox({
      handled,
      ack,
      handle: (frame, replica) => this.#handle(frame, replica),
      leads: () => this.#tabs?.confirm() ?? true,
      done: (frame) => this.#tabs?.share({ type: "message", frame, log: handled.log }),
      rejected: (frame, cause, skip) => {
        if (!this.#abort) return;
        const message = `message ${frame.messageId} was not handled, and comes again`;
        this.#emit("error", { what: "handler", message, cause, ...(skip && { skip }) });
      },
    });
    this.#dialer = new Dialer(
      { url: base, host, token, open: openWebSocket, WebSocket },
      new Backoff(backoff, () => host.Math.random()),
      {
        state: (state) => this.#become(state),
        message: (frame, connection) => this.#inbox.push(frame, connection),
        hello: ({ log, expired }) => {
          handled.begin(log);
          if (expired) this.#emit("gap", { expired });
        },
        posted: (text) => this.#emit("posted", text),
        failed: (end) => this.#failed(end),
      },
    );
    this.#tabs = shared ? this.#makeTabs(name, store, handled) : undefined;
  }

  get state(): State {
    return this.#state;
  }

  /** Listens. Returns what ends that. */
  on<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): () => void {
    const listeners = ((this.#listeners[type] as Set<typeof listener>) ??= new Set() as never);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  start(): void {
    if (this.#abort) return this.poke();
    if (!this.#handler) throw new Error("there is no onMessage, and nobody asks for messages()");
    this.#abort = new AbortController();
    this.#listen("addEventListener");
    if (this.#tabs) this.#tabs.start();
    else this.#dialer.start();
  }
  /** Ends the connection. What was not handled stays pending. */
  stop(): void {
    if (!this.#abort) return;
    this.#abort.abort();
    this.#abort = undefined;
    this.#listen("removeEventListener");
    this.#dialer.stop();
    this.#tabs?.stop();
    this.#become({ name: "idle" });
  }
  /** Finds out at once whether the connection lives, and dials where there is none. */
  poke(): void {
    if (!this.#abort) return;
    if (this.#follows) this.#tabs!.ask("poke");
    else this.#dialer.poke();
  }

  /** Starts, and gives the messages. Each is acknowledged when the loop asks for the next; leaving the loop stops. */
  async *messages(): AsyncGenerator<Message, void, undefined> {
    if (this.#handler) throw new Error("there is an onMessage, or another loop");
    const waiting: { message: Message; done: () => void }[] = [];
    let wake = () => {};
    this.#handler = (message, { signal }) =>
      new Promise<void>((done, fail) => {
        signal.addEventListener("abort", fail);
        waiting.push({ message, done });
        wake();
      });
    this.start();
    const stopped = this.#abort!.signal;
    stopped.addEventListener("abort", () => wake());
    try {
      while (!stopped.aborted) {
        const next = waiting.shift();
        if (next) {
          yield next.message;
          next.done();
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      this.#handler = undefined;
      if (!stopped.aborted) this.stop();
    }
  }

  get #follows(): boolean {
    return this.#tabs !== undefined && !this.#tabs.leading;
  }

  #makeTabs(name: string, store: Store | undefined, handled: Handled): Tabs {
    return new Tabs(this.#host, name, store, {
      lead: () => this.#dialer.start(),
      yield: () => this.#dialer.stop(),
      message: (frame, log) => {
        handled.begin(log);
        this.#inbox.push(frame);
      },
      state: (state) => this.#become(state),
      looked: () => this.#looked(),
      poke: () => this.#dialer.poke(),
      now: () => this.#dialer.state,
    });
  }

  async #handle(frame: MessageFrame, replica: boolean): Promise<void> {
    const { messageId: id, sequence, timestamp, payload: text } = frame;
    const signal = this.#abort?.signal;
    // Stopped meanwhile: the message comes again.
    if (!signal || !this.#handler) throw new Error("stopped");
    await this.#handler({ id, sequence, timestamp, text, replica, json: () => JSON.parse(text) }, { signal });
  }

  #become(state: State): void {
    if (state.name === "idle" && this.#state.name === "idle") return;
    this.#state = state;
    this.#tabs?.share({ type: "state", state });
    this.#emit("state", state);
  }

  #failed({ code, why, fault }: End): void {
    this.#emit("error", { what: "connection", message: why, code, ...(fault && { cause: fault }) });
  }

  #emit<K extends keyof Events>(type: K, event: Events[K]): void {
    const listeners = this.#listeners[type] as Set<(event: Events[K]) => void> | undefined;
    if (type === "error" && !listeners?.size) console.warn("holdfast:", (event as HoldfastError).message, event);
    for (const listener of listeners ?? []) listener(event);
  }

  #listen(how: "addEventListener" | "removeEventListener"): void {
    const { document } = this.#host;
    for (const type of ["online", "pageshow", "focus"]) this.#host[how]?.(type, this.#wake);
    document?.[how]("visibilitychange", this.#wake);
  }
  /** The network is back, the page has been woken, or somebody looks at it. */
  readonly #wake = (event: Event): void => {
    if (event.type === "pageshow" && !(event as PageTransitionEvent).persisted) return;
    if (event.type === "visibilitychange" && this.#host.document?.visibilityState !== "visible") return;
    if (this.#follows) this.#tabs!.ask("look");
    else this.#looked();
  };
  /** What is stopped stays so, with one exception: a tab that others displaced is looked at again. */
  #looked(): void {
    const { state } = this.#dialer;
    if (state.name !== "stopped" || state.code === DISPLACED) this.#dialer.poke();
  }
}

/** `localStorage`, where the browser allows it. */
function localStore(host: Host): Store | undefined {
  try {
    const storage = host.localStorage;
    return storage && { get: (key) => storage.getItem(key), set: (key, value) => storage.setItem(key, value) };
  } catch {
    return undefined;
  }
}
