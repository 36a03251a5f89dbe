// @holdfast/client: receives a user's messages, in browsers, workers and Node.js.

export {
  type Events,
  type Handler,
  Holdfast,
  type HoldfastError,
  type Message,
  type Options,
} from "./holdfast.js";
export type { BackoffOptions } from "./backoff.js";
export type { Store } from "./handled.js";
export type { State } from "./state.js";
export type { TokenProvider, TokenRequest } from "./token.js";
