// Sends messages that three independent libraries sign, each once whole and with one byte changed.
// usage: sign_messages.js USER_ID
// environment: HOLDFAST_URL and the AWS variables
'use strict';

const assert = require('node:assert/strict');
const { createHash, createHmac } = require('node:crypto');
const { SignatureV4 } = require('@smithy/signature-v4');
const aws4 = require('aws4');
const { AwsClient, AwsV4Signer } = require('aws4fetch');
const { run } = require('./checks');

const userId = process.argv[2];
const base = process.env.HOLDFAST_URL;
const { host, hostname, port } = new URL(base);
const accessKeyId = process.env.AWS_ACCESS_KEY_ID;
const secretAccessKey = process.env.AWS_SECRET_ACCESS_KEY;
const region = process.env.AWS_REGION;
const service = 'execute-api';
const contentType = { 'content-type': 'application/json' };

class Sha256 {
  constructor(secret) {
    this.secret = secret;
    this.reset();
  }
  reset() {
    this.hash = this.secret ? createHmac('sha256', this.secret) : createHash('sha256');
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return this.hash.digest();
  }
}

function split(path) {
  const [pathname, search = ''] = path.split('?');
  const query = {};
  for (const [name, value] of new URLSearchParams(search)) (query[name] ??= []).push(value);
  return { pathname, query };
}

// Each gives the URL, the headers and the body that are to be sent.
const signers = {
  '@smithy/signature-v4': async (path, body) => {
    const signer = new SignatureV4(
      { service, region, credentials: { accessKeyId, secretAccessKey }, sha256: Sha256 });
    const { pathname, query } = split(path);
    const signed = await signer.sign({
      method: 'POST', protocol: 'http:', hostname, port: Number(port), path: pathname,
      query, headers: { host, ...contentType }, body });
    return { headers: signed.headers };
  },
  '@smithy/signature-v4, presigned': async (path, body) => {
    const signer = new SignatureV4(
      { service, region, credentials: { accessKeyId, secretAccessKey }, sha256: Sha256 });
    const { pathname, query } = split(path);
    const signed = await signer.presign({
      method: 'POST', protocol: 'http:', hostname, port: Number(port), path: pathname, query,
      headers: { host }, body },
    { expiresIn: 60 });
    const pairs = Object.entries(signed.query).flatMap(
      ([name, values]) => [values].flat().map((value) =>
        `${encodeURIComponent(name)}=${encodeURIComponent(value)}`));
    return { path: `${pathname}?${pairs.join('&')}`, headers: contentType };
  },
  aws4: async (path, body) => {
    const signed = aws4.sign(
      { host, path, method: 'POST', service, region, headers: { ...contentType }, body },
      { accessKeyId, secretAccessKey });
    return { headers: signed.headers };
  },
  aws4fetch: async (path, body) => {
    const signer = new AwsV4Signer({ url: base + path, method: 'POST', body, headers: contentType,
      accessKeyId, secretAccessKey, service, region, allHeaders: true });
    const signed = await signer.sign();
    return { url: signed.url.toString(), headers: Object.fromEntries(signed.headers) };
  },
};

async function send(url, headers, body) {
  const answer = await fetch(url, { method: 'POST', headers, body });
  return { status: answer.status, type: answer.headers.get('x-amzn-errortype'),
    body: await answer.json() };
}

async function check(sign, name, path, message) {
  const body = JSON.stringify({ userId, message: `${name}: ${message}` });
  const signed = await sign(path, body);
  const url = signed.url ?? base + (signed.path ?? path);
  const sent = await send(url, signed.headers, body);
  assert.deepEqual([sent.status, sent.body.status], [200, 'STORED'], `${name} ${path} ${sent.body.message}`);
  const changed = await send(url, signed.headers, body.replace('"message"', '"messagf"'));
  assert.deepEqual([changed.status, changed.type], [403, 'InvalidSignatureException'], name);
}

run(async () => {
  for (const [name, sign] of Object.entries(signers)) {
    for (const path of ['/message', '/prod/message', '/message?b=2&a=1%2F%20&b=1']) {
      for (const message of ['plain', 'not ASCII: \u00e4\u20ac\u{1F680}']) {
        await check(sign, name, path, message);
      }
    }
  }
  // aws4fetch's own client, which signs and sends.
  const client = new AwsClient({ accessKeyId, secretAccessKey, service, region });
  const answer = await client.fetch(`${base}/message`, { method: 'POST', headers: contentType,
    body: JSON.stringify({ userId, message: 'by the client of aws4fetch \u20ac' }) });
  assert.equal((await answer.json()).status, 'STORED');
});
