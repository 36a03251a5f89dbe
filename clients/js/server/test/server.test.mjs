// Signatures, retries and webhooks of the producer's package.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { load } from "../../test/load.mjs";

const { Producer, SendError, signRequest, verifyWebhook, WebhookError } = await load("server/src/index.ts");

const KEY = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1" };

/** A gateway that gives these answers, one after the other, and keeps what it was asked. */
async function gateway(answers, use) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    asked.push({ ...request.headers, path: request.url, body: JSON.parse(body) });
    const { status = 200, headers = {}, json = {}, hangs = false } = answers.shift();
    if (hangs) return request.socket.destroy();
    response.writeHead(status, headers).end(JSON.stringify(json));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${server.address().port}/`;
    await use(new Producer({ ...KEY, url, backoff: { base: 1, max: 5 }, retryFor: 5000 }), asked);
  } finally {
    server.close();
  }
  return asked;
}

test("a signature is the one that AWS's own signer makes", async () => {
  const request = { method: "GET", url: "https://example.amazonaws.com/a%20b/?Param2=value2&Param1=value1" };
  const { authorization, ...headers } = await signRequest(request, KEY, new Date("2015-08-30T12:36:00Z"));
  assert.deepEqual(headers, { "x-amz-date": "20150830T123600Z" });
  assert.equal(authorization, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/execute-api/aws4_request, " +
    "SignedHeaders=host;x-amz-date, Signature=99f2560573ae4a916f869b594166452bf6c0b3925bfc0a8a58b69764dd70fd9f");
});

test("a message is sent again, under the same id, until the gateway takes it", async () => {
  const sent = { messageId: "m", sequence: 7, status: "STORED" };
  const answers = [{ status: 503 }, { hangs: true }, { status: 429, headers: { "retry-after": "0" } }, { status: 502 }, { status: 504 }, { json: sent }];
  const asked = await gateway(answers, async (producer) => {
    assert.deepEqual(await producer.send("ann", { ready: true }, { ttlSeconds: 60 }), sent);
  });
  assert.equal(asked.length, 6);
  assert.equal(new Set(asked.map(({ body }) => body.deduplicationId)).size, 1);
  assert.equal(asked[0].path, "/message");
  assert.deepEqual({ ...asked[0].body, deduplicationId: 0 }, { userId: "ann", message: '{"ready":true}', ttlSeconds: 60, deduplicationId: 0 });
});

test("two calls have two ids", async () => {
  const asked = await gateway([{}, {}], async (producer) => {
    await producer.send("ann", "same");
    await producer.send("ann", "same");
  });
  assert.notEqual(asked[0].body.deduplicationId, asked[1].body.deduplicationId);
});

test("a refusal that a retry would repeat is thrown at once", async () => {
  for (const status of [400, 403, 409, 413, 500]) {
    const answer = { status, headers: { "x-amzn-errortype": "SomeException" }, json: { message: "why" } };
    const asked = await gateway([answer], (producer) =>
      assert.rejects(producer.send("ann", "x"), (error) =>
        error instanceof SendError && error.status === status && error.code === "SomeException" && error.message === "why"));
    assert.equal(asked.length, 1);
  }
});

test("Retry-After is kept, and the time bounds it all", async () => {
  const before = Date.now();
  await gateway([{ status: 503, headers: { "retry-after": "1" } }, {}], (producer) => producer.send("ann", "x"));
  assert.ok(Date.now() - before >= 990);
  await gateway([{ status: 503, headers: { "retry-after": "60" } }], (producer) =>
    assert.rejects(producer.send("ann", "x"), { status: 503 }));
});

test("of many, those that failed for the moment are sent again, in order", async () => {
  const busy = "ServiceUnavailableException";
  const ok = (index) => ({ index, messageId: `m${index}`, sequence: index, status: "STORED" });
  const answers = [
    { json: { Successful: [ok(0)], Failed: [{ index: 1, code: busy, message: "" }, { index: 2, code: "ConflictException", message: "c" }, { index: 3, code: busy, message: "" }] } },
    { status: 503 },
    { json: { Successful: [ok(0), ok(1)], Failed: [] } },
  ];
  let outcomes;
  const asked = await gateway(answers, async (producer) => {
    outcomes = await producer.sendMany(["a", "b", "c", "d"].map((message) => ({ userId: "ann", message })));
  });
  assert.deepEqual(outcomes.map(({ messageId, error }) => messageId ?? error.code), ["m0", "m0", "ConflictException", "m1"]);
  assert.deepEqual(asked.map(({ body }) => body.messages.map(({ message }) => message).join("")), ["abcd", "bd", "bd"]);
});

test("many are cut into requests of 500, and of what a body may have", async () => {
  const answer = { json: { Successful: [], Failed: [] } };
  const asked = await gateway([answer, answer, answer], async (producer) => {
    await producer.sendMany(Array.from({ length: 501 }, () => ({ userId: "ann", message: "x" })));
    await producer.sendMany(Array.from({ length: 2 }, () => ({ userId: "ann", message: "x".repeat(131_072) })));
  });
  assert.deepEqual(asked.map(({ body }) => body.messages.length), [500, 1, 2]);
});

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NOW = { now: 1_614_265_330_000 };
const BODY = '{"test": 2432232314}';
const HEADERS = {
  "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

test("a webhook is verified by the standard's own vector, with any of several secrets and signatures", async () => {
  assert.equal(await verifyWebhook({ headers: HEADERS, body: BODY }, SECRET, NOW), BODY);
  assert.equal(await verifyWebhook({ headers: HEADERS, body: new TextEncoder().encode(BODY) }, [OTHER, SECRET], NOW), BODY);
  const request = new Request("http://here/", { method: "POST", headers: HEADERS, body: BODY });
  assert.equal(await verifyWebhook(request, SECRET, NOW), BODY);
  const two = { ...HEADERS, "webhook-signature": `v1a,xyz v1,${"A".repeat(43)}= ${HEADERS["webhook-signature"]}` };
  assert.equal(await verifyWebhook({ headers: two, body: BODY }, SECRET, NOW), BODY);
});

test("a webhook that was changed, is old, or has no signature is refused", async () => {
  const refused = (headers, body = BODY, secrets = SECRET, now = NOW) =>
    assert.rejects(verifyWebhook({ headers: { ...HEADERS, ...headers }, body }, secrets, now), WebhookError);
  await refused({}, BODY + " ");
  await refused({ "webhook-id": "msg_other" });
  await refused({ "webhook-timestamp": "1614265331" });
  await refused({ "webhook-timestamp": "soon" });
  await refused({ "webhook-signature": undefined });
  await refused({ "webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v1a,") });
  await refused({}, BODY, OTHER);
  await refused({}, BODY, SECRET, { now: NOW.now + 301_000 });
  await refused({}, BODY, SECRET, { now: NOW.now - 301_000 });
});
