// Gets a temporary token from the page's own provider.

export interface TokenRequest {
  /** Why there is a dial. */
  reason: "start" | "retry" | "wake";
  /** Aborted when the answer takes too long or nobody needs it any more. */
  signal: AbortSignal;
}

/**
 * Gives the token for one dial, or the answer of a back end that has it: as text, or as JSON with
 * the member `token`. Statuses 401 and 403, and an error with `terminal: true`, end the client
 * until `start()` or `poke()`. `Retry-After`, or an error's `retryAfter` in seconds, is honoured.
 */
export type TokenProvider = (request: TokenRequest) => string | Response | Promise<string | Response>;

export interface TokenFault {
  terminal?: boolean;
  retryAfter?: number;
}

const fault = (message: string, properties: TokenFault): Error => Object.assign(new Error(message), properties);

export async function readToken(given: string | Response): Promise<string> {
  let text = given;
  if (typeof text !== "string") {
    const { ok, status, headers } = text;
    if (!ok) {
      throw fault(`the token's address answers ${status}`, {
        terminal: status === 401 || status === 403,
        retryAfter: Number(headers.get("retry-after")) || 0,
      });
    }
    text = (await text.text()).trim();
    if (text[0] === "{") text = String(JSON.parse(text).token ?? "");
  }
  if (!text) throw new Error("the provider gave no token");
  return text;
}
