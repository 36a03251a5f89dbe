// What carries frames to and from the gateway. Each transport is a file of its own.

import type { Host, SocketConstructor } from "./host.js";

export interface TransportListener {
  opened(): void;
  text(text: string): void;
  /** Called once, and last. */
  closed(code: number, reason: string): void;
}

export interface Transport {
  send(text: string): void;
  /** Closes in order. The listener hears nothing from here on. */
  close(): void;
}

export interface TransportOptions {
  /** The gateway, such as `wss://gateway.example.com`. */
  url: string;
  token: string;
  host: Host;
  WebSocket: SocketConstructor | undefined;
}

/** Throws when it cannot even begin. */
export type OpenTransport = (options: TransportOptions, listener: TransportListener) => Transport;
