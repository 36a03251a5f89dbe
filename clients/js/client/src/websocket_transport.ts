// The WebSocket transport.

import { SUBPROTOCOL } from "./frames.js";
import type { OpenTransport } from "./transport.js";

const OPEN = 1;

export const openWebSocket: OpenTransport = ({ url, token, host, WebSocket = host.WebSocket }, listener) => {
  if (!WebSocket) throw new Error("there is no WebSocket here: pass one as the option WebSocket");
  const socket = new WebSocket(`${url}/ws?token=${encodeURIComponent(token)}`, SUBPROTOCOL);
  socket.onopen = () => listener.opened();
  socket.onmessage = ({ data }: MessageEvent) => {
    if (typeof data === "string") listener.text(data);
  };
  socket.onclose = ({ code, reason }: CloseEvent) => listener.closed(code, reason);
  return {
    send(text) {
      if (socket.readyState === OPEN) socket.send(text);
    },
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
};
