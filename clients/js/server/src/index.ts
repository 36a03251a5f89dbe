// @holdfast/server: sends messages, and verifies webhooks; for Node.js, Deno, Bun and workers.

export { type MessageToSend, type Outcome, Producer, type ProducerOptions, type SendOptions, type Sent } from "./producer.js";
export type { RetryOptions } from "./retry.js";
export { SendError } from "./send_error.js";
export { type Credentials, type RequestToSign, signRequest } from "./sigv4.js";
export { type VerifyOptions, verifyWebhook, WebhookError, type WebhookRequest } from "./webhook.js";
