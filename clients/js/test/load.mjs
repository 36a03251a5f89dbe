// Bundles a package's sources for a test, with faults put in where the test asks for them.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `faults`: { file: [[text, replacement], ...] }. A text that is not there exactly once is an error. */
export async function load(entry, faults = {}, external = []) {
  const unused = new Set(Object.keys(faults));
  const plugin = {
    name: "faults",
    setup({ onLoad }) {
      onLoad({ filter: /\.tsx?$/ }, async ({ path }) => {
        const name = path.split("/").at(-1);
        let contents = await readFile(path, "utf8");
        for (const [text, replacement] of faults[name] ?? []) {
          if (contents.split(text).length !== 2) throw new Error(`${name} does not have once: ${text}`);
          contents = contents.replace(text, () => replacement);
          unused.delete(name);
        }
        return { contents, loader: path.endsWith("x") ? "tsx" : "ts" };
      });
    },
  };
  const options = {
    entryPoints: [`${ROOT}/${entry}`], bundle: true, write: false, format: "esm", target: "es2022", external,
    plugins: [plugin], logLevel: "silent" };
  const { outputFiles } = await build(options);
  if (unused.size > 0) throw new Error(`no file is called ${[...unused]}`);
  const text = Buffer.from(outputFiles[0].contents).toString("base64");
  return import(`data:text/javascript;base64,${text}`);
}
