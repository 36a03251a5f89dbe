// Builds the packages, and packs them as npm would publish them.
// usage: build.mjs FOLDER     FOLDER gets PACKAGE/ and holdfast-PACKAGE-VERSION.tgz of each

import { execFile } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../../build/js"));

// What a page or a program pays for each package: bytes, minified and compressed.
const PACKAGES = [
  { name: "client", entry: "index.ts", limit: 5 * 1024 },
  { name: "react", entry: "index.tsx", limit: 1.5 * 1024 },
  { name: "server", entry: "index.ts", limit: 4 * 1024 },
];

const bundle = (name, entry, options) =>
  build({
    entryPoints: [join(here, name, "src", entry)], bundle: true, target: "es2022", jsx: "automatic",
    external: ["react", "@holdfast/*"], logLevel: "warning", ...options,
  });

async function checkSize({ name, entry, limit }) {
  const { outputFiles } = await bundle(name, entry, { format: "esm", minify: true, write: false });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  if (bytes > limit) throw new Error(`@holdfast/${name} has ${bytes} bytes, and may have ${limit}`);
  return bytes;
}

/** Declarations, once for each kind of module. */
async function copyTypes(from, to) {
  for (const file of await readdir(from)) {
    const text = await readFile(join(from, file), "utf8");
    await writeFile(join(to, file), text);
    await writeFile(join(to, file.replace(/\.d\.ts$/, ".d.cts")), text.replace(/(["'])(\.\/[^"']*)\.js\1/g, "$1$2.cjs$1"));
  }
}

/** The version of the whole project. */
async function version() {
  const text = await readFile(join(here, "../../CMakeLists.txt"), "utf8");
  return /^project\(holdfast VERSION (\S+)/m.exec(text)[1];
}

async function stage({ name, entry }, number) {
  const folder = join(out, name);
  const dist = join(folder, "dist");
  await mkdir(dist, { recursive: true });
  const manifest = JSON.parse(await readFile(join(here, name, "package.json"), "utf8"));
  if (manifest.peerDependencies?.["@holdfast/client"]) manifest.peerDependencies["@holdfast/client"] = number;
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ ...manifest, version: number }, null, 2)}\n`);
  await copyFile(join(here, name, "README.md"), join(folder, "README.md"));
  await copyFile(join(here, "../../LICENSE"), join(folder, "LICENSE"));
  await bundle(name, entry, { format: "esm", outfile: join(dist, "index.js") });
  await bundle(name, entry, { format: "cjs", outfile: join(dist, "index.cjs") });
  await copyTypes(join(out, "types", name, "src"), dist);
  await run("npm", ["pack", folder, "--pack-destination", out, "--loglevel=error"], { cwd: out });
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const tsc = join(here, "node_modules/typescript/bin/tsc");
const types = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rootDir", here, "--outDir", join(out, "types")];
await run(process.execPath, [tsc, "-p", here, ...types]).catch(({ stdout }) => {
  throw new Error(stdout);
});
const number = await version();
for (const one of PACKAGES) {
  const bytes = await checkSize(one);
  await stage(one, number);
  console.log(`${basename(one.name)} ${bytes} bytes`);
}
await rm(join(out, "types"), { recursive: true });
