// The tarballs, as a team installs them: into an empty project, without a network.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, test } from "node:test";
import { ROOT } from "./load.mjs";

const folder = mkdtempSync(join(tmpdir(), "holdfast-packages-"));
after(() => rmSync(folder, { recursive: true }));
const project = join(folder, "project");
const environment = { ...process.env, PATH: dirname(process.execPath) + delimiter + process.env.PATH };
const run = (program, ...given) => execFileSync(program, given, { cwd: project, encoding: "utf8", env: environment, stdio: "pipe" });

execFileSync(process.execPath, [join(ROOT, "build.mjs"), join(folder, "out")], { env: environment });
const tarballs = readdirSync(join(folder, "out")).filter((file) => file.endsWith(".tgz"));
execFileSync("mkdir", [project]);
writeFileSync(join(project, "package.json"), "{}");
run("npm", "install", "--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", "--loglevel=error",
  ...tarballs.map((file) => join(folder, "out", file)));
for (const name of ["react", "@types"]) symlinkSync(join(ROOT, "node_modules", name), join(project, "node_modules", name));

const NAMES = "typeof Holdfast, typeof HoldfastProvider, typeof useHoldfast, typeof Producer, typeof signRequest, typeof verifyWebhook";
const ALL = "function function function function function function\n";

test("a tarball has the code, its types, a README and the licence, and nothing else", () => {
  assert.equal(tarballs.length, 3);
  for (const file of tarballs) {
    const files = execFileSync("tar", ["-tzf", join(folder, "out", file)], { encoding: "utf8" }).trim().split("\n");
    for (const needed of ["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.cjs", "dist/index.d.ts", "dist/index.d.cts"]) {
      assert.ok(files.includes(`package/${needed}`), `${file}: ${needed}`);
    }
    assert.ok(files.every((name) => /^package\/(LICENSE|README\.md|package\.json|dist\/[\w]+\.(js|cjs|d\.ts|d\.cts))$/.test(name)), files.join());
  }
});

test("programs import them, as modules and by require", () => {
  const imports = (from) => `const { Holdfast } = ${from("client")}, { HoldfastProvider, useHoldfast } = ${from("react")},
    { Producer, signRequest, verifyWebhook } = ${from("server")}; console.log(${NAMES});`;
  writeFileSync(join(project, "a.mjs"), imports((name) => `await import("@holdfast/${name}")`));
  writeFileSync(join(project, "b.cjs"), imports((name) => `require("@holdfast/${name}")`));
  assert.equal(run(process.execPath, "a.mjs"), ALL);
  assert.equal(run(process.execPath, "b.cjs"), ALL);
});

const USE = `import { Holdfast, type Message, type State } from "@holdfast/client";
import { HoldfastProvider, useHoldfast } from "@holdfast/react";
import { Producer, verifyWebhook, type Outcome } from "@holdfast/server";
const client = new Holdfast("wss://gateway", { token: ({ signal }) => fetch("/token", { signal }), onMessage: (m: Message) => m.json<{ a: number }>().a });
client.on("state", (state: State) => { if (state.name === "waiting") { const at: number = state.retryAt; void at; } });
const text: Promise<string> = verifyWebhook(new Request("http://a"), ["whsec_a"]);
const sent: Promise<Outcome[]> = new Producer({ url: "http://a" }).sendMany([{ userId: "a", message: {} }]);
export { client, HoldfastProvider, sent, text, useHoldfast };
`;
const compile = (files, ...flags) =>
  spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "--types", "node",
    "--target", "es2022", "--lib", "es2022,dom", ...flags, ...files], { cwd: project, encoding: "utf8" }).stdout;

test("a project in TypeScript compiles against them, and is told of its mistakes", () => {
  for (const file of ["use.mts", "use.cts", "use.ts"]) {
    writeFileSync(join(project, file), USE);
    writeFileSync(join(project, `wrong_${file}`), USE.replace("retryAt", "retryAfter"));
  }
  assert.equal(compile(["use.mts", "use.cts"], "--module", "node16"), "");
  assert.equal(compile(["use.ts"], "--module", "esnext", "--moduleResolution", "bundler"), "");
  const mistakes = compile(["wrong_use.mts", "wrong_use.cts"], "--module", "node16");
  assert.match(mistakes, /wrong_use\.mts.*retryAfter/);
  assert.match(mistakes, /wrong_use\.cts.*retryAfter/);
});
