// Verifies webhooks by Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks).

/** A request as `fetch` has it, or its parts. `body` is the raw body: JSON that was parsed and written again may differ. */
export type WebhookRequest =
  | Request
  | { headers: Headers | Record<string, string | string[] | undefined>; body: string | Uint8Array };

export interface VerifyOptions {
  /** How far the sender's clock may be off, in seconds: 300. Older requests may be repeats of somebody who listened. */
  toleranceSeconds?: number;
  /** The time now, in milliseconds since 1970. */
  now?: number;
}

/** The request is not the gateway's, or is too old. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
}

/** Signatures of one request that are looked at. A rotation needs two. */
const SIGNATURES = 16;

const decode = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/**
 * Returns the body as text, once one of the secrets (`whsec_…`) has proved to have signed it.
 * Throws a `WebhookError` otherwise. Give the old and the new secret while you change them.
 */
export async function verifyWebhook(
  request: WebhookRequest,
  secrets: string | readonly string[],
  { toleranceSeconds = 300, now = Date.now() }: VerifyOptions = {},
): Promise<string> {
  const { headers } = request;
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ").slice(0, SIGNATURES);
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookError("webhook-timestamp is no time");
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds) throw new WebhookError("the request is too old, or the clocks disagree");

  const body = "arrayBuffer" in request ? new Uint8Array(await request.arrayBuffer()) : bytesOf(request.body);
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  for (const secret of [secrets].flat()) {
    const key = await importKey(secret);
    for (const signature of signatures) {
      if (await matches(key, signature, signed)) return new TextDecoder().decode(body);
    }
  }
  throw new WebhookError("no signature is of these secrets");
}

const bytesOf = (body: string | Uint8Array): Uint8Array =>
  typeof body === "string" ? new TextEncoder().encode(body) : body;

function header(headers: WebhookRequest["headers"], name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : [headers[name]].flat()[0];
  if (!value) throw new WebhookError(`the header ${name} is missing`);
  return value;
}

function importKey(secret: string): Promise<CryptoKey> {
  if (!secret.startsWith("whsec_")) throw new Error("a webhook's secret begins with whsec_");
  const key = decode(secret.slice("whsec_".length));
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** Compares in constant time, as WebCrypto does. */
async function matches(key: CryptoKey, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const [version, base64 = ""] = signature.split(",");
  if (version !== "v1" || !/^[A-Za-z0-9+/]{43}=$/.test(base64)) return false;
  return crypto.subtle.verify("HMAC", key, decode(base64), signed);
}
