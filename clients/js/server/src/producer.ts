// Sends messages to users, for a back end.

import { type Attempt, retry, type RetryOptions } from "./retry.js";
import { SendError } from "./send_error.js";
import { type Credentials, signRequest } from "./sigv4.js";

export interface ProducerOptions extends RetryOptions, Partial<Credentials> {
  /** The gateway, such as `https://gateway.example.com`. */
  url?: string;
}

export interface SendOptions {
  /** Makes repeats safe. A random one by default, the same for all retries of the call. */
  deduplicationId?: string;
  /** How long the message may stay pending, in seconds. */
  ttlSeconds?: number;
  signal?: AbortSignal;
}

export interface Sent {
  messageId: string;
  sequence: number;
  status: "DELIVERED" | "STORED";
}

export interface MessageToSend extends Omit<SendOptions, "signal"> {
  userId: string;
  /** What is no string is sent as JSON. */
  message: unknown;
}

export type Outcome = Sent | { error: SendError };

interface BatchAnswer {
  Successful: (Sent & { index: number })[];
  Failed: { index: number; code: string; message: string }[];
}

/** Messages in one request, and characters of its body: the gateway takes 1 MiB by default. */
const BATCH = 500;
const BATCH_CHARACTERS = 300_000;
const RETRIED_STATUSES = new Set([429, 502, 503, 504]);
const RETRIED_CODES = new Set(["ServiceUnavailableException", "LimitExceededException"]);

export class Producer {
  readonly #url: string;
  readonly #credentials: Credentials;
  readonly #options: RetryOptions;

  /** What is left out comes from the environment: `HOLDFAST_URL`, `AWS_ACCESS_KEY_ID` and its neighbours. */
  constructor(options: ProducerOptions = {}) {
    const environment = (globalThis as { process?: { env?: Record<string, string> } }).process?.env ?? {};
    const need = (option: keyof ProducerOptions, variable: string): string => {
      const value = options[option] ?? environment[variable];
      if (!value) throw new Error(`${option} is missing, and so is ${variable} in the environment`);
      return String(value);
    };
    this.#options = options;
    this.#url = need("url", "HOLDFAST_URL").replace(/\/+$/, "");
    this.#credentials = {
      accessKeyId: need("accessKeyId", "AWS_ACCESS_KEY_ID"),
      secretAccessKey: need("secretAccessKey", "AWS_SECRET_ACCESS_KEY"),
      region: need("region", "AWS_REGION"),
      // The environment's belongs to the environment's key.
      sessionToken: options.sessionToken ?? (options.accessKeyId ? undefined : environment.AWS_SESSION_TOKEN),
    };
  }

  /** Sends one message. Tries again where that can help; throws a `SendError` otherwise. */
  send(userId: string, message: unknown, { signal, ...options }: SendOptions = {}): Promise<Sent> {
    const body = entryOf({ userId, message, ...options });
    return retry(this.#options, signal, () => this.#post<Sent>("/message", body, signal));
  }

  /**
   * Sends many, in order. Each has its own outcome, at its place. Throws a `SendError` where a
   * whole request is refused.
   */
  async sendMany(messages: readonly MessageToSend[], { signal }: { signal?: AbortSignal } = {}): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const batch of batches(messages.map(entryOf))) outcomes.push(...(await this.#sendBatch(batch, signal)));
    return outcomes;
  }

  /** Sends what is left of a batch until nothing is, or the time is up. */
  async #sendBatch(entries: string[], signal: AbortSignal | undefined): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    let left = entries.map((_, index) => index);
    let last: SendError | undefined;
    const attempt = async (): Promise<Attempt<void>> => {
      const asked = left;
      const body = `{"messages":[${asked.map((index) => entries[index]).join()}]}`;
      const answer = await this.#post<BatchAnswer>("/messages", body, signal);
      if ("again" in answer) {
        last = answer.again;
        for (const index of left) outcomes[index] ??= { error: last };
        return answer;
      }
      for (const { index, ...sent } of answer.done.Successful) outcomes[asked[index]!] = sent;
      left = [];
      for (const { index, code, message } of answer.done.Failed) {
        const error = new SendError(200, code, message);
        outcomes[asked[index]!] = { error };
        if (!RETRIED_CODES.has(code)) continue;
        left.push(asked[index]!);
        last = error;
      }
      // In order: what failed behind another of its user must stay behind it.
      left.sort((a, b) => a - b);
      return left.length > 0 ? { again: last!, retryAfter: 0 } : { done: undefined };
    };
    try {
      await retry(this.#options, signal, attempt);
    } catch (error) {
      // The time is up: the last refusal is the outcome of what is left.
      if (error !== last) throw error;
    }
    return outcomes;
  }

  async #post<T>(path: string, body: string, signal: AbortSignal | undefined): Promise<Attempt<T>> {
    const url = this.#url + path;
    const headers = await signRequest(
      { method: "POST", url, headers: { "content-type": "application/json" }, body },
      this.#credentials,
    );
    const limit = AbortSignal.timeout(this.#options.timeout ?? 10_000);
    const either = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      return await read<T>(await fetch(url, { method: "POST", headers, body, redirect: "manual", signal: either }));
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SendError) throw cause;
      return { again: new SendError(0, "NoAnswer", "the gateway does not answer", { cause }), retryAfter: 0 };
    }
  }
}

/** A message as the gateway takes it. The random id stays the same over all retries. */
function entryOf({ userId, message, deduplicationId = crypto.randomUUID(), ttlSeconds }: MessageToSend): string {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return JSON.stringify({ userId, message: text, deduplicationId, ttlSeconds });
}

/** Cuts entries into requests, in order. */
function* batches(entries: string[]): Generator<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for (const entry of entries) {
    if (batch.length >= BATCH || (batch.length > 0 && characters + entry.length > BATCH_CHARACTERS)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(entry);
    characters += entry.length;
  }
  if (batch.length > 0) yield batch;
}

/** Reads an answer. Throws a refusal that a retry would only repeat. */
async function read<T>(answer: Response): Promise<Attempt<T>> {
  const { status, headers } = answer;
  const text = await answer.text();
  if (status === 200) return { done: JSON.parse(text) as T };
  const error = new SendError(status, headers.get("x-amzn-errortype") ?? "", messageOf(text) ?? `HTTP status ${status}`);
  if (!RETRIED_STATUSES.has(status)) throw error;
  return { again: error, retryAfter: 1000 * (Number(headers.get("retry-after")) || 0) };
}

/** A gateway's refusals are JSON; a proxy's may be anything. */
function messageOf(text: string): string | undefined {
  try {
    return JSON.parse(text).message;
  } catch {
    return undefined;
  }
}
