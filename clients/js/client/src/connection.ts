// One dial, from the token to the end of the connection.

import { ackFrame, answersUnknownText, type Frame, type MessageFrame, PING, readFrame } from "./frames.js";
import { type Host, type SocketConstructor, Timer } from "./host.js";
import { readToken, type TokenFault, type TokenProvider, type TokenRequest } from "./token.js";
import type { OpenTransport, Transport } from "./transport.js";

/** How long the token's provider and the handshake may take, each, in milliseconds. */
const DIAL_MS = 10_000;
/** Acknowledgements are gathered this long, in milliseconds, or up to so many messages. */
const ACK_MS = 50;
const ACK_MESSAGES = 32;

export interface End {
  /** The close code; 0: there was no connection, or this side dropped it. */
  code: number;
  why: string;
  fault?: TokenFault;
}

export interface ConnectionListener {
  opened(): void;
  frame(frame: Exclude<Frame, MessageFrame>): void;
  message(frame: MessageFrame, connection: Connection): void;
  posted(text: string): void;
  /** Called once, and last. */
  ended(end: End): void;
}

export interface ConnectionOptions {
  url: string;
  host: Host;
  token: TokenProvider;
  reason: TokenRequest["reason"];
  open: OpenTransport;
  WebSocket: SocketConstructor | undefined;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  readonly #abort = new AbortController();
  readonly #dial: Timer;
  readonly #ack: Timer;
  readonly #probe: Timer;
  #transport: Transport | undefined;
  #handled = 0;
  #acknowledged = 0;
  #gathered = 0;
  #opened = false;
  #heard = 0;

  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    this.#options = options;
    this.#listener = listener;
    this.#dial = new Timer(options.host);
    this.#ack = new Timer(options.host);
    this.#probe = new Timer(options.host);
  }
  get ended(): boolean {
    return this.#abort.signal.aborted;
  }
  get opened(): boolean {
    return this.#opened;
  }
  /** Whether the gateway was told of a handled message. */
  get acknowledged(): boolean {
    return this.#acknowledged > 0;
  }
  /** How long nothing has come, in milliseconds. */
  get silence(): number {
    return this.#options.host.Date.now() - this.#heard;
  }

  /** Begins. The listener may hear of the end before this returns. */
  async dial(): Promise<void> {
    const { token, reason } = this.#options;
    this.#dial.set(DIAL_MS, () => this.drop("the token's provider does not answer"));
    let what = "no token";
    try {
      const text = await readToken(await token({ reason, signal: this.#abort.signal }));
      what = "no connection";
      if (!this.ended) this.#open(text);
    } catch (error) {
      this.drop(`${what}: ${(error as Error)?.message ?? error}`, (error ?? {}) as TokenFault);
    }
  }

  /** Acknowledges a message that this connection brought, and all before it. */
  acknowledge(sequence: number): void {
    if (this.ended) return;
    this.#handled = sequence;
    this.#gathered += 1;
    if (this.#gathered >= ACK_MESSAGES) this.#ack.clear();
    if (!this.#ack.runs) this.#sendAck();
  }

  /** Asks for a sign of life; `silent` is called when none comes in time. */
  probe(ms: number, silent: () => void): void {
    if (!this.#opened || this.#probe.runs) return;
    this.#probe.set(ms, silent);
    this.#transport?.send(PING);
  }

  /** Ends it now. A broken connection may tell of its own end only minutes later. */
  drop(why: string, fault?: TokenFault): void {
    this.#end({ code: 0, why, ...(fault && { fault }) });
  }

  #open(token: string): void {
    const { open, url, host, WebSocket } = this.#options;
    this.#dial.set(DIAL_MS, () => this.drop("the gateway does not answer"));
    this.#transport = open({ url, token, host, WebSocket }, {
      opened: () => {
        this.#dial.clear();
        this.#opened = true;
        this.#heard = host.Date.now();
        this.#listener.opened();
      },
      text: (text) => this.#text(text),
      closed: (code, reason) => {
        const refused = "the gateway cannot be reached, or refuses (401: the token, 403: this page's origin)";
        this.#end({ code, why: reason || (this.#opened ? `closed with code ${code}` : refused) });
      },
    });
  }

  #text(text: string): void {
    const probed = this.#probe.runs;
    this.#probe.clear();
    this.#heard = this.#options.host.Date.now();
    const frame = readFrame(text);
    if (frame?.type === "message") this.#listener.message(frame, this);
    else if (frame) this.#listener.frame(frame);
    else if (!probed || !answersUnknownText(text)) this.#listener.posted(text);
  }

  #sendAck(): void {
    if (this.#handled <= this.#acknowledged) return;
    this.#acknowledged = this.#handled;
    this.#gathered = 0;
    this.#transport?.send(ackFrame(this.#handled));
    this.#ack.set(ACK_MS, () => this.#sendAck());
  }

  #end(end: End): void {
    if (this.ended) return;
    this.#sendAck();
    this.#abort.abort();
    for (const timer of [this.#dial, this.#ack, this.#probe]) timer.clear();
    this.#transport?.close();
    this.#listener.ended(end);
  }
}
