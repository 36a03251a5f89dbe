// Random stories of drops, sleeps, rejecting handlers, and tabs that open, freeze and die: nothing is
// lost, nothing is handled twice. HOLDFAST_SEED replays one story, HOLDFAST_STORIES tells how many there are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../test/load.mjs";
import { World } from "../../test/world.mjs";

const STORIES = Number(process.env.HOLDFAST_STORIES ?? 300);
const FIRST = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

class Story {
  constructor(Holdfast, seed) {
    this.Holdfast = Holdfast;
    this.world = new World(seed, { greets: seed % 4 !== 3 });
    this.healed = false;
    this.completed = new Map();
    /** What each tab is handling, and whether it slept since: then another may handle it, too. */
    this.handling = new Map();
    /** When each tab woke last: it learns a moment later that another leads. */
    this.woken = new Map();
  }

  openTab() {
    const { world } = this;
    const tab = world.tab({ sharing: true });
    let highest = 0;
    const handle = (message) => {
      if (message.replica) return undefined;
      if (message.sequence < highest) world.fault(`${message.id} is out of order`);
      highest = message.sequence;
      const before = this.completed.get(message.id);
      // Without a log nothing survives a tab, and the next one cannot know.
      if (before && (world.gateway.greets || before === tab)) world.fault(`${message.id} is handled twice`);
      for (const [other, { id, live }] of this.handling) {
        if (other !== tab && !other.dead && live && id === message.id) world.fault(`${id} is handled by two tabs at once`);
      }
      this.handling.set(tab, { id: message.id, live: world.clock.now - (this.woken.get(tab) ?? 0) > 5000 });
      const rejects = !this.healed && world.random() < 0.05;
      return new Promise((done, fail) => {
        tab.host.setTimeout(() => {
          this.handling.delete(tab);
          if (rejects) return fail(new Error("not today"));
          this.completed.set(message.id, tab);
          world.gateway.handled.add(message.id);
          done();
        }, world.between(0, 400));
      });
    };
    const token = async () => {
      if (!this.healed && world.random() < 0.1) throw new Error("no token today");
      await new Promise((done) => tab.host.setTimeout(done, world.between(0, 100)));
      return world.gateway.token();
    };
    const client = new this.Holdfast("wss://gateway", { token, user: "ann", onMessage: handle }, tab.host);
    client.on("error", () => {});
    client.start();
    return tab;
  }

  step() {
    const { world } = this;
    const { gateway } = world;
    const tab = world.pick(world.live);
    const connection = world.pick(gateway.open);
    const steps = [
      () => gateway.send(),
      () => gateway.send(),
      () => gateway.send(),
      () => { for (let i = 0; i < 40; i += 1) gateway.send(); },
      () => connection?.end(1006),
      () => connection?.hole(),
      () => gateway.kill(world.between(0, 5000)),
      () => this.sleep(world.between(1000, 120_000)),
      () => world.live.length < 4 && this.openTab(),
      () => world.live.length > 1 && tab.die(),
      () => this.freeze(tab),
      () => this.thaw(tab),
      () => world.live.every(({ frozen }) => frozen) && this.thaw(tab),
      () => tab.show(),
      () => tab.hide(),
      () => tab.fire("online"),
      () => (world.wallStep += world.between(-20_000, 20_000)),
    ];
    world.pick(steps)();
  }

  freeze(tab) {
    tab.frozen = true;
    const handling = this.handling.get(tab);
    if (handling) handling.live = false;
  }
  thaw(tab) {
    tab.thaw();
    this.woken.set(tab, this.world.clock.now);
  }
  /** After a sleep a tab may find a leader silent that has not had its turn yet. */
  sleep(ms) {
    for (const handling of this.handling.values()) handling.live = false;
    this.world.sleep(ms);
    for (const tab of this.world.live) this.woken.set(tab, this.world.clock.now);
  }

  async play() {
    const { world } = this;
    this.openTab();
    for (let i = 0; i < 40; i += 1) {
      this.step();
      await world.clock.run(world.pick([0, 5, 60, 300, 3000, 20_000]));
    }
    this.healed = true;
    for (const tab of world.live) this.thaw(tab);
    await world.clock.run(1000);
    world.live.at(-1).show();
    await world.clock.run(300_000);
    if (world.gateway.pending.length > 0) world.fault(`${world.gateway.pending.length} were never acknowledged`);
    for (const tab of world.live) tab.die();
    return world.faults;
  }
}

async function firstFault(Holdfast) {
  for (let seed = FIRST; seed < FIRST + STORIES; seed += 1) {
    const faults = await new Story(Holdfast, seed).play();
    if (faults.length > 0) return `HOLDFAST_SEED=${seed} HOLDFAST_STORIES=1: ${faults[0]}`;
  }
  return undefined;
}

test(`nothing is lost and nothing is handled twice, in ${STORIES} stories from seed ${FIRST} on`, async () => {
  const { Holdfast } = await load("client/src/index.ts");
  assert.equal(await firstFault(Holdfast), undefined);
});

// What each breaks, and what is then found.
const FAULTS = {
  "acknowledges before the handler is done": [/is lost/, {
    "inbox.ts": [['const early = !connection || ack === "received";', "const early = true;"]],
  }],
  "forgets what was handled": [/is handled twice|is out of order/, {
    "inbox.ts": [["if (handled.has(frame, !connection)) return", "if (!connection && handled.has(frame, true)) return"]],
  }],
  "uses a token twice": [/was used before/, {
    "connection.ts": [["const text = await readToken(", "const text = this.#options.token.kept ??= await readToken("]],
  }],
  "goes on leading when its lock was taken": [/by two tabs at once/, {
    "tabs.ts": [
      ["if (this.#named === this.#read()) return true;", "if (this) return true;"],
      ["    this.#release = undefined;\n    this.#listener.yield();\n", ""],
    ],
  }],
  "acknowledges more than was sent": [/where it was not sent|is lost/, {
    "connection.ts": [["    this.#handled = sequence;", "    this.#handled = sequence + 9;"]],
  }],
  "handles what an ended connection brought": [/is lost/, {
    "inbox.ts": [["if (connection?.ended) return;", ""], ["    if (connection && !leads()) return;\n", ""]],
  }],
};

for (const [what, [found, faults]] of Object.entries(FAULTS)) {
  test(`a client that ${what} is caught`, async () => {
    const { Holdfast } = await load("client/src/index.ts", faults);
    assert.match(String(await firstFault(Holdfast)), found);
  });
}
