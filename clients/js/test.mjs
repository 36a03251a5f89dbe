// Runs all tests of the packages; prints `passed` when all was well, else what the tests say.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const files = ["client", "react", "server", "."].flatMap((name) =>
  readdirSync(`${here}/${name}/test`).filter((file) => file.endsWith(".test.mjs")).map((file) => `${here}/${name}/test/${file}`));
const { status, stdout, stderr } = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], { encoding: "utf8", maxBuffer: 2 ** 26 });
if (status === 0) console.log("passed");
else console.log(stdout, stderr);
process.exit(status ?? 1);
