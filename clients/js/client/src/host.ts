// What the client uses of the place that it runs in. `globalThis` is one; tests make their own.

/** A WebSocket, as browsers, workers, React Native and Node.js have it. */
export interface Socket {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type SocketConstructor = new (url: string, protocol: string) => Socket;

export interface Locks {
  request(
    name: string,
    options: { steal?: boolean; signal?: AbortSignal },
    held: () => Promise<void>,
  ): Promise<unknown>;
}

export interface Channel {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(value: unknown): void;
  close(): void;
}

type Listen = (type: string, listener: (event: Event) => void) => void;

export interface Host {
  readonly WebSocket?: SocketConstructor;
  readonly setTimeout: (call: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: never) => void;
  readonly Date: { now(): number };
  readonly Math: { random(): number };
  readonly navigator?: { readonly locks?: Locks };
  readonly BroadcastChannel?: new (name: string) => Channel;
  readonly localStorage?: { getItem(key: string): string | null; setItem(key: string, value: string): void };
  readonly document?: {
    readonly visibilityState: string;
    addEventListener: Listen;
    removeEventListener: Listen;
  };
  readonly addEventListener?: Listen;
  readonly removeEventListener?: Listen;
}

/** A timer of the host that is set again, or cleared, as one thing. */
export class Timer {
  readonly #host: Host;
  #timer: unknown;

  constructor(host: Host) {
    this.#host = host;
  }
  get runs(): boolean {
    return this.#timer !== undefined;
  }
  set(ms: number, call: () => void): void {
    this.clear();
    this.#timer = this.#host.setTimeout(() => {
      this.#timer = undefined;
      call();
    }, ms);
  }
  clear(): void {
    this.#host.clearTimeout(this.#timer as never);
    this.#timer = undefined;
  }
}
