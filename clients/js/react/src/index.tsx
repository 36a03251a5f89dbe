// @holdfast/react: a client for the components below a provider.

import { Holdfast, type HoldfastError, type Message, type Options, type State } from "@holdfast/client";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState, useSyncExternalStore } from "react";

export interface Snapshot {
  state: State;
  /** The newest last. */
  messages: readonly Message[];
  /** What went wrong last, since the connection was last open. */
  error: HoldfastError | undefined;
}

const EMPTY: Snapshot = { state: { name: "idle" }, messages: [], error: undefined };

/** Keeps what the components show. */
class Feed {
  readonly client: Holdfast;
  snapshot = EMPTY;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `keep`: at least one message. */
  constructor(url: string, { onMessage, ...options }: Options, keep: number) {
    this.client = new Holdfast(url, {
      ...options,
      onMessage: async (message, context) => {
        await onMessage?.(message, context);
        this.#change({ messages: [...this.snapshot.messages, message].slice(-keep) });
      },
    });
    this.client.on("state", (state) => this.#change(state.name === "open" ? { state, error: undefined } : { state }));
    this.client.on("error", (error) => this.#change({ error }));
  }
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
  start(): void {
    clearTimeout(this.#timer);
    this.client.start();
  }
  /** Stops in a moment: StrictMode unmounts a component and mounts it again at once. */
  stop(): void {
    this.#timer = setTimeout(() => this.client.stop());
  }
  #change(change: Partial<Snapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

const FeedContext = createContext<Feed | undefined>(undefined);

export interface HoldfastProviderProps extends Options {
  /** The gateway, such as `wss://gateway.example.com`. */
  url: string;
  /** How many messages `useHoldfast` can give, at least one: 50. */
  keep?: number;
  children?: ReactNode;
}

/** Has one client for all components below it. Give it a `key` of the user: options are read once. */
export function HoldfastProvider({ url, keep = 50, children, ...options }: HoldfastProviderProps): ReactNode {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [feed] = useState(() => new Feed(url, withLatest(options, latest), Math.max(1, keep)));
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, [feed]);
  return <FeedContext.Provider value={feed}>{children}</FeedContext.Provider>;
}

/** Functions of the page change with each render: the newest are called. */
function withLatest(options: Options, latest: { current: Options }): Options {
  return {
    ...options,
    token: (request) => latest.current.token(request),
    onMessage: (message, context) => latest.current.onMessage?.(message, context),
  };
}

export interface Received extends Snapshot {
  last: Message | undefined;
  client: Holdfast;
}

/** Gives the state of the connection, and the last `keep` messages. */
export function useHoldfast({ keep = Infinity }: { keep?: number } = {}): Received {
  const feed = useContext(FeedContext);
  if (!feed) throw new Error("useHoldfast needs a <HoldfastProvider> around it");
  const snapshot = useSyncExternalStore(feed.subscribe, () => feed.snapshot, () => EMPTY);
  const messages = keep < snapshot.messages.length ? snapshot.messages.slice(snapshot.messages.length - keep) : snapshot.messages;
  return { ...snapshot, messages, last: messages.at(-1), client: feed.client };
}
