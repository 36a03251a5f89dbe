// One rule of the client each, on a clock and a network that the test owns.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../test/load.mjs";
import { World } from "../../test/world.mjs";

const { Holdfast } = await load("client/src/index.ts");

/** A client in a tab of its own, and what it tells. */
function open(world, options = {}, { sharing = false, Class = Holdfast } = {}) {
  const tab = world.tab({ sharing });
  const told = { texts: [], states: [], errors: [], posted: [], gaps: [] };
  const token = () => world.gateway.token();
  const onMessage = ({ text, replica }) => void told.texts.push(replica ? `replica ${text}` : text);
  const client = new Class("https://gateway/", { token, onMessage, ...options }, tab.host);
  client.on("state", ({ name }) => told.states.push(name));
  client.on("error", (error) => told.errors.push(error));
  client.on("posted", (text) => told.posted.push(text));
  client.on("gap", (gap) => told.gaps.push(gap));
  return { client, tab, ...told };
}

test("it delivers, acknowledges, and tells how it stands", async () => {
  const world = new World();
  const { client, texts, states, tab } = open(world);
  const { messageId } = world.gateway.send("one");
  world.gateway.handled.add(messageId);
  client.start();
  await world.clock.run(1000);
  assert.deepEqual(texts, ["one"]);
  assert.equal(world.gateway.pending.length, 0);
  assert.deepEqual(states, ["connecting", "open", "catching-up", "open"]);
  client.stop();
  await world.clock.run(1000);
  assert.equal(client.state.name, "idle");
  assert.equal(world.gateway.open.length, 0);
  tab.die();
  assert.deepEqual(world.faults, []);
});

test("acknowledgements are gathered for 50 ms, up to 32 messages", async () => {
  const world = new World();
  const { client } = open(world);
  const read = world.gateway.read.bind(world.gateway);
  const acks = [];
  world.gateway.read = (connection, text) => {
    acks.push(text);
    read(connection, text);
  };
  for (let i = 0; i < 100; i += 1) world.gateway.handled.add(world.gateway.send().messageId);
  client.start();
  await world.clock.run(400);
  assert.equal(world.gateway.pending.length, 0);
  assert.ok(acks.length >= 3 && acks.length <= 9, `${acks.length} acknowledgements`);
});

const dialsOfAClosingGateway = async (Class) => {
  const world = new World();
  world.gateway.closes = true;
  const { client } = open(world, {}, { Class });
  client.start();
  await world.clock.run(600_000);
  return world.gateway.dials.length;
};

test("a gateway that accepts and closes is dialled less and less often", async () => {
  // Full jitter up to 30 s: 600 s have room for about 40 waits of 15 s, and the short ones before.
  assert.ok((await dialsOfAClosingGateway(Holdfast)) < 70);
  const faults = { "dialer.ts": [["  opened(): void {\n", "  opened(): void {\n    this.#backoff.reset();\n"]] };
  const { Holdfast: Hasty } = await load("client/src/index.ts", faults);
  assert.ok((await dialsOfAClosingGateway(Hasty)) > 500, "the fault is not seen");
});

test("a dead connection is dropped within 5 s of waking, without waiting for its end", async () => {
  for (const wake of [(tab) => tab.fire("online"), (tab) => tab.show(), (tab) => tab.fire("pageshow", { persisted: true })]) {
    const world = new World();
    const { client, tab } = open(world);
    client.start();
    await world.clock.run(1000);
    world.gateway.connections[0].hole();
    wake(tab);
    await world.clock.run(5300);
    assert.equal(world.gateway.dials.length, 2);
    assert.equal(client.state.name, "open");
  }
});

test("a sleep is noticed by a tick that comes too late", async () => {
  const world = new World();
  const { client, tab } = open(world);
  tab.visibility = "hidden";
  client.start();
  await world.clock.run(1000);
  world.sleep(40_000);
  await world.clock.run(5300);
  assert.equal(world.gateway.dials.length, 2);
});

test("silence is probed: after 30 s of a visible page, after 60 s of others", async () => {
  for (const [visibility, ms] of [["visible", 41_000], ["hidden", 71_000]]) {
    const world = new World();
    const { client, tab } = open(world);
    tab.visibility = visibility;
    client.start();
    await world.clock.run(1000);
    world.gateway.connections[0].hole();
    await world.clock.run(ms);
    assert.equal(world.gateway.dials.length, 2, visibility);
    assert.equal(client.state.name, "open");
  }
});

test("a probe that is answered changes nothing, whether the gateway knows of probes or not", async () => {
  for (const greets of [true, false]) {
    const world = new World(1, { greets });
    const { client, tab, posted } = open(world);
    client.start();
    await world.clock.run(1000);
    tab.fire("online");
    await world.clock.run(200_000);
    assert.equal(world.gateway.dials.length, 1);
    assert.deepEqual(posted, []);
  }
});

test("text that is no frame is posted, and unknown frames are ignored", async () => {
  const world = new World();
  const { client, posted, errors } = open(world);
  client.start();
  await world.clock.run(1000);
  for (const text of ["not JSON {", '{"typing":true}', "null", '{"type":"new","x":1}', '{"type":7}']) world.gateway.open[0].toClient(text);
  await world.clock.run(1000);
  assert.deepEqual(posted, ["not JSON {", '{"typing":true}', "null", '{"type":7}']);
  assert.deepEqual(errors, []);
});

test("what would only repeat itself ends the client, until it is told to go on", async () => {
  for (const code of [1008, 4401, 4408]) {
    const world = new World();
    const { client, tab } = open(world);
    client.start();
    await world.clock.run(1000);
    world.gateway.open[0].end(code);
    await world.clock.run(600_000);
    assert.equal(client.state.name, "stopped");
    assert.equal(client.state.code, code);
    tab.show();
    await world.clock.run(1000);
    assert.equal(client.state.name, code === 4408 ? "open" : "stopped");
    client.poke();
    await world.clock.run(1000);
    assert.equal(client.state.name, "open");
  }
});

test("a provider that hangs is a failed attempt, and is told so", async () => {
  const world = new World();
  const signals = [];
  const { client, errors } = open(world, { token: ({ signal }) => new Promise(() => signals.push(signal)) });
  client.start();
  await world.clock.run(10_100);
  assert.equal(signals[0].aborted, true);
  assert.equal(client.state.name, "waiting");
  assert.match(errors[0].message, /provider does not answer/);
});

test("a provider's answer says whether to go on", async () => {
  const answer = (status, headers = {}) => new Response("x", { status, headers });
  const answers = [answer(429, { "retry-after": "60" }), new Response('{"token":"token 0"}'), answer(401)];
  const world = new World();
  const { client, states } = open(world, { token: () => answers.shift() });
  world.gateway.token();
  client.start();
  await world.clock.run(59_000);
  assert.equal(answers.length, 2);
  await world.clock.run(2000);
  assert.equal(client.state.name, "open");
  world.gateway.open[0].end(1006);
  await world.clock.run(60_000);
  assert.deepEqual(client.state, { name: "stopped", code: 0, why: "no token: the token's address answers 401" });
  assert.equal(states.at(-1), "stopped");
});

test("a message that is rejected comes again, and can be skipped after the third time", async () => {
  const world = new World();
  const skips = [];
  const { client, errors } = open(world, { onMessage: () => Promise.reject(new Error("no")) });
  world.gateway.handled.add(world.gateway.send().messageId);
  client.on("error", ({ skip }) => skip && skips.push(skip));
  client.start();
  await world.clock.run(30_000);
  assert.ok(errors.filter(({ what }) => what === "handler").length >= 3);
  assert.equal(world.gateway.pending.length, 1);
  skips[0]();
  await world.clock.run(60_000);
  assert.equal(world.gateway.pending.length, 0);
});

test("a producer's repeat, which has the first one's id, is acknowledged and not handled", async () => {
  const world = new World();
  const { client, texts } = open(world);
  const { messageId } = world.gateway.send("one");
  world.gateway.handled.add(messageId);
  client.start();
  await world.clock.run(1000);
  const again = world.gateway.send("one");
  again.messageId = messageId;
  await world.clock.run(1000);
  assert.deepEqual(texts, ["one"]);
});

test("a database that was made anew may begin below: its messages are no repeats", async () => {
  const world = new World();
  const { client, texts } = open(world, { user: "ann" }, { sharing: true });
  const { gateway } = world;
  const all = { has: () => true };
  gateway.handled = all;
  gateway.send("old");
  client.start();
  await world.clock.run(1000);
  gateway.log = "log-2";
  gateway.messages = [{ type: "message", messageId: "new", sequence: 3, timestamp: 1, payload: "new" }];
  gateway.settled = 0;
  gateway.open[0].end(1006);
  await world.clock.run(60_000);
  assert.deepEqual(texts, ["old", "new"]);
});

test("tabs of a user share a connection; it goes to another when its tab dies or freezes", async () => {
  const world = new World();
  world.gateway.handled = { has: () => true };
  const tabs = Array.from({ length: 9 }, () => open(world, { user: "ann" }, { sharing: true }));
  for (const { client } of tabs) client.start();
  await world.clock.run(1000);
  assert.equal(world.gateway.dials.length, 1);
  world.gateway.send("one");
  await world.clock.run(1000);
  assert.deepEqual(tabs.map(({ texts }) => texts.join()), ["one", ...Array(8).fill("replica one")]);
  assert.ok(tabs.every(({ client }) => client.state.name === "open"));

  tabs[0].tab.die();
  world.gateway.send("two");
  await world.clock.run(2000);
  assert.equal(world.gateway.dials.length, 2);
  assert.deepEqual(tabs[1].texts, ["replica one", "two"]);

  tabs[1].tab.frozen = true;
  world.gateway.send("three");
  tabs[5].tab.show();
  await world.clock.run(4000);
  assert.deepEqual(tabs[5].texts, ["replica one", "replica two", "three"]);
  tabs[1].tab.thaw();
  await world.clock.run(4000);
  assert.deepEqual(world.faults, []);
  assert.equal(world.gateway.open.length, 1);
});

test("the messages of a loop are acknowledged when it asks for the next", async () => {
  const world = new World();
  world.gateway.handled = { has: () => true };
  const { client } = open(world, { onMessage: undefined });
  const first = world.gateway.send("one");
  world.gateway.send("two");
  const seen = [];
  const loop = (async () => {
    for await (const { text } of client.messages()) {
      seen.push(text);
      if (text === "two") break;
      await new Promise((resolve) => world.clock.at(500, resolve));
      assert.equal(world.gateway.settled, 0);
    }
  })();
  await world.clock.run(3000);
  await loop;
  assert.deepEqual(seen, ["one", "two"]);
  await world.clock.run(3000);
  assert.equal(world.gateway.settled, first.sequence);
  assert.equal(client.state.name, "idle");
});

test("messages that were received are acknowledged before they are handled, where the page asks for that", async () => {
  const world = new World();
  world.gateway.handled = { has: () => true };
  const { client } = open(world, { ack: "received", onMessage: () => new Promise(() => {}) });
  world.gateway.send();
  client.start();
  await world.clock.run(1000);
  assert.equal(world.gateway.pending.length, 0);
});

test("a client that was stopped while it got a token does not connect", async () => {
  const world = new World();
  let give;
  const { client } = open(world, { token: () => new Promise((resolve) => (give = resolve)) });
  client.start();
  await world.clock.run(100);
  client.stop();
  give(world.gateway.token());
  await world.clock.run(60_000);
  assert.equal(world.gateway.dials.length, 0);
});
