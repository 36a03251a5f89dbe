// The frames of the subprotocol `holdfast.v1` (docs/asyncapi.yaml).

export interface MessageFrame {
  type: "message";
  messageId: string;
  sequence: number;
  timestamp: number;
  payload: string;
}

export type Frame =
  | MessageFrame
  | { type: "hello"; log: string; expired: number | null }
  | { type: "caughtup" }
  | { type: "pong" }
  | { type: "unknown" };

export const SUBPROTOCOL = "holdfast.v1";
export const PING = '{"type":"ping"}';

export const ackFrame = (sequence: number): string => JSON.stringify({ type: "ack", sequence });

/** Reads a text of the gateway. Undefined: somebody posted it to this connection. */
export function readFrame(text: string): Frame | undefined {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof frame?.type === "string" ? frame : undefined;
}

/** Tells a gateway that does not know `ping` yet: its answer proves that the way is clear, too. */
export function answersUnknownText(text: string): boolean {
  return text.startsWith('{"message":"Forbidden","connectionId":');
}
