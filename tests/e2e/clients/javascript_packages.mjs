// A team's back end and client on the packages of clients/js, installed from their tarballs.
// usage: javascript_packages.mjs PROJECTS_CLIENTS FOLDER USER_ID ID_TOKEN
// environment: HOLDFAST_URL and the AWS variables
// lines on standard input: send TEXT
// prints `signed`, once another signer agrees; `state NAME`; `got TEXT`; `sent STATUS`
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";

const [sources, folder, userId, idToken] = process.argv.slice(2);
const url = process.env.HOLDFAST_URL;

function install() {
  const project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), "{}");
  const env = { ...process.env, PATH: dirname(process.execPath) + delimiter + process.env.PATH };
  execFileSync(process.execPath, [join(sources, "build.mjs"), join(folder, "packages")], { env });
  const tarballs = readdirSync(join(folder, "packages")).filter((name) => name.endsWith(".tgz"));
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", "--loglevel=error",
    ...tarballs.map((name) => join(folder, "packages", name))], { cwd: project, env });
  return createRequire(join(project, "package.json"));
}

class Sha256 {
  constructor(secret) {
    this.hash = secret ? createHmac("sha256", secret) : createHash("sha256");
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return this.hash.digest();
  }
}

/** Holds the package's signatures against those of AWS's own signer. */
async function compareSignatures(signRequest) {
  const { SignatureV4 } = createRequire(import.meta.url)("@smithy/signature-v4");
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "a/secret+of=ours" };
  for (const sessionToken of [undefined, "a/session+token=="]) {
    for (const [path, query] of [["/message", {}], ["/prod/a%20b", { b: ["2", "1"], a: "1/ \u20ac*!'()" }]]) {
      const when = new Date("2026-02-03T04:05:06.789Z");
      const body = '{"message":"\u20ac"}';
      const headers = { host: "gateway.example.com:8443", "content-type": "application/json", "x-own": "two  spaces" };
      const signer = new SignatureV4({ service: "execute-api", region: "eu-west-3", sha256: Sha256, applyChecksum: false,
        credentials: { ...credentials, sessionToken } });
      const theirs = await signer.sign(
        { method: "POST", protocol: "https:", hostname: "gateway.example.com", port: 8443, path, query, headers, body }, { signingDate: when });
      const pairs = Object.entries(query).flatMap(([name, values]) => [values].flat().map((value) => `${name}=${encodeURIComponent(value)}`));
      const target = `https://gateway.example.com:8443${path}${pairs.length > 0 ? `?${pairs.join("&")}` : ""}`;
      const { host: _, ...own } = headers;
      const ours = await signRequest({ method: "POST", url: target, headers: own, body }, { ...credentials, sessionToken, region: "eu-west-3" }, when);
      assert.equal(ours.authorization, theirs.headers.authorization);
    }
  }
  console.log("signed");
}

const require = install();
const { Holdfast } = require("@holdfast/client");
const { Producer, signRequest } = require("@holdfast/server");
await compareSignatures(signRequest);

const token = ({ signal }) => fetch(`${url}/tokens`, { headers: { authorization: idToken }, signal });
const client = new Holdfast(url, { token, onMessage: ({ text }) => console.log(`got ${text}`), backoff: { max: 500 } });
client.on("state", ({ name }) => console.log(`state ${name}`));
client.on("error", ({ message }) => console.error(message));
client.start();

const producer = new Producer({ backoff: { max: 500 } });
for await (const line of createInterface({ input: process.stdin })) {
  const { status } = await producer.send(userId, line.replace(/^send /, ""));
  console.log(`sent ${status}`);
}
client.stop();
