// The provider and the hook, in StrictMode, over the client on a clock that the test owns.

import assert from "node:assert/strict";
import { writeFile, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { ROOT } from "../../test/load.mjs";
import { World } from "../../test/world.mjs";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
const { act, createElement, StrictMode } = await import("react");
const { create } = await import("react-test-renderer");

/** Bundles the package with the client, beside the tests' own React. */
async function loadPackage() {
  const folder = await mkdtemp(join(ROOT, "node_modules/.test-"));
  try {
    const outfile = join(folder, "react.mjs");
    const alias = { "@holdfast/client": `${ROOT}/client/src/index.ts` };
    await build({ entryPoints: [`${ROOT}/react/src/index.tsx`], bundle: true, outfile, format: "esm", jsx: "automatic", external: ["react"], alias });
    return await import(outfile);
  } finally {
    await rm(folder, { recursive: true });
  }
}
const { HoldfastProvider, useHoldfast } = await loadPackage();

test("two components share one connection, in StrictMode too, and see messages, state and errors", async () => {
  const world = new World();
  const { host } = world.tab({ sharing: false });
  world.gateway.handled = { has: () => true };
  let seen;
  const Show = () => {
    seen = useHoldfast({ keep: 2 });
    return createElement("p", null, `${seen.state.name} ${seen.messages.map(({ text }) => text).join()}`);
  };
  const props = { url: "wss://gateway", token: () => world.gateway.token(), WebSocket: host.WebSocket };
  let root;
  await act(async () => {
    root = create(createElement(StrictMode, null, createElement(HoldfastProvider, props, createElement(Show), createElement(Show))));
  });
  await act(() => world.clock.run(1000));
  await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
  assert.equal(world.gateway.dials.length, 1);
  for (const text of ["one", "two", "three"]) world.gateway.send(text);
  await act(() => world.clock.run(1000));
  assert.deepEqual(root.toJSON().map(({ children }) => children[0]), ["open two,three", "open two,three"]);
  assert.equal(seen.last.text, "three");
  world.gateway.open[0].end(4401);
  await act(() => world.clock.run(1000));
  assert.equal(seen.state.name, "stopped");
  assert.match(seen.error.message, /login has ended/);
  await act(async () => root.unmount());
  await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
  assert.equal(seen.client.state.name, "idle");
});
