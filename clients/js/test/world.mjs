// A world for the client: a clock, a network, tabs of a browser, and a model of the gateway's mailbox.
// Nothing in it waits for real time. The same seed makes the same story.

export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Times of events, and the events. Those of a frozen tab wait; those of a dead one are dropped. */
export class Clock {
  now = 1_700_000_000_000;
  #events = [];
  #last = 0;

  at(ms, call, tab) {
    const event = { time: this.now + Math.max(0, ms), order: ++this.#last, call, tab };
    this.#events.push(event);
    return event;
  }
  cancel(event) {
    const at = this.#events.indexOf(event);
    if (at >= 0) this.#events.splice(at, 1);
  }
  #next(until) {
    this.#events = this.#events.filter(({ tab }) => !tab?.dead);
    let first;
    for (const event of this.#events) {
      if (event.tab?.frozen || event.time > until) continue;
      if (!first || event.time < first.time || (event.time === first.time && event.order < first.order)) first = event;
    }
    return first;
  }
  async run(ms) {
    const until = this.now + ms;
    await settle();
    for (let event; (event = this.#next(until)); ) {
      this.cancel(event);
      this.now = Math.max(this.now, event.time);
      event.call();
      await settle();
    }
    this.now = until;
  }
}

export class World {
  clock = new Clock();
  tabs = [];
  storage = new Map();
  channels = new Set();
  locks = new Map();
  /** How far the wall clock was set, in milliseconds. */
  wallStep = 0;
  /** What went wrong: the oracles' findings. */
  faults = [];

  constructor(seed = 1, { greets = true } = {}) {
    this.random = randomOf(seed);
    this.gateway = new Gateway(this, greets);
  }
  fault(text) {
    this.faults.push(`${this.clock.now % 1_000_000}: ${text}`);
  }
  between(low, high) {
    return low + Math.floor(this.random() * (high - low + 1));
  }
  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }
  tab(options) {
    const tab = new Tab(this, options);
    this.tabs.push(tab);
    return tab;
  }
  get live() {
    return this.tabs.filter(({ dead }) => !dead);
  }
  sleep(ms) {
    for (const connection of this.gateway.connections) connection.hole();
    this.clock.now += ms;
  }
}

/** The mailbox of one user: what is pending, and who was sent what. */
export class Gateway {
  log = "log-1";
  up = true;
  /** Accepts, and closes at once. */
  closes = false;
  messages = [];
  settled = 0;
  connections = [];
  tokens = new Map();
  dials = [];
  handled = new Set();

  constructor(world, greets) {
    this.world = world;
    this.greets = greets;
  }
  token() {
    const token = `token ${this.tokens.size}`;
    this.tokens.set(token, false);
    return token;
  }
  send(text = "hello") {
    const sequence = (this.messages.at(-1)?.sequence ?? 1000) + this.world.between(1, 5);
    const message = { type: "message", messageId: `id ${sequence}`, sequence, timestamp: 1, payload: text };
    this.messages.push(message);
    for (const connection of this.open) connection.deliver(message);
    return message;
  }
  get open() {
    return this.connections.filter(({ state }) => state === "open");
  }
  get pending() {
    return this.messages.filter(({ sequence }) => sequence > this.settled);
  }
  kill(downMs) {
    this.up = false;
    for (const connection of [...this.connections]) connection.end(1006);
    this.world.clock.at(downMs, () => (this.up = true));
  }
  accept(connection, token) {
    const { world } = this;
    this.dials.push(world.clock.now);
    if (this.tokens.get(token) !== false) world.fault(`${token} was used before, or never given`);
    this.tokens.set(token, true);
    if (!this.up) return connection.end(1006);
    connection.open();
    if (this.closes) return connection.end(1001);
    if (this.greets) {
      connection.toClient({ type: "hello", connectionId: "c", userId: "u", log: this.log, expired: 0, later: 1 });
    }
    for (const message of this.pending) connection.deliver(message);
    if (this.greets) connection.toClient({ type: "caughtup", sequence: connection.sent });
  }
  read(connection, text) {
    const frame = JSON.parse(text);
    if (frame.type === "ping") {
      const unknown = { message: "Forbidden", connectionId: "c", requestId: "r" };
      return connection.toClient(this.greets ? { type: "pong", serverTime: 1 } : unknown);
    }
    if (frame.sequence > connection.sent) {
      this.world.fault(`${frame.sequence} was acknowledged where it was not sent`);
      return connection.end(1008);
    }
    for (const { sequence, messageId } of this.pending) {
      if (sequence <= frame.sequence && !this.handled.has(messageId)) this.world.fault(`${messageId} is lost`);
    }
    this.settled = Math.max(this.settled, frame.sequence);
  }
}

/** A WebSocket, seen from the gateway; the network in between delays, and may swallow everything. */
class Link {
  state = "connecting";
  sent = 0;
  #holed = false;
  #toClient = 0;
  #toGateway = 0;

  constructor(tab, socket, token) {
    this.tab = tab;
    this.socket = socket;
    const { gateway } = tab.world;
    gateway.connections.push(this);
    this.#up(() => this.state === "connecting" && gateway.accept(this, token));
  }
  #later(call, tab, floor) {
    const { world } = this.tab;
    const time = Math.max(floor, world.clock.now + world.between(1, 80));
    world.clock.at(time - world.clock.now, call, tab);
    return time;
  }
  #up(call) {
    if (!this.#holed) this.#toGateway = this.#later(call, undefined, this.#toGateway);
  }
  #down(call) {
    if (!this.#holed) this.#toClient = this.#later(() => this.#holed || call(), this.tab, this.#toClient);
  }
  open() {
    this.state = "open";
    this.#down(() => this.socket.opens());
  }
  deliver(message) {
    this.sent = message.sequence;
    this.toClient(message);
  }
  toClient(frame) {
    this.#down(() => this.socket.hears(typeof frame === "string" ? frame : JSON.stringify(frame)));
  }
  toGateway(text) {
    this.#up(() => this.state === "open" && this.tab.world.gateway.read(this, text));
  }
  /** Nothing passes any more; the gateway notices after its time, the client never. */
  hole() {
    this.#holed = true;
    this.tab.world.clock.at(10_000, () => this.#forget());
  }
  #forget() {
    this.state = "closed";
    const { connections } = this.tab.world.gateway;
    const at = connections.indexOf(this);
    if (at >= 0) connections.splice(at, 1);
  }
  end(code, reason = "") {
    this.#forget();
    this.#down(() => this.socket.ends(code, reason));
  }
  left() {
    this.#up(() => this.#forget());
  }
}

/** A tab of a browser: a host for one client. */
export class Tab {
  dead = false;
  frozen = false;
  visibility = "visible";
  #listeners = new Set();
  #locks = [];

  constructor(world, { sharing = true } = {}) {
    this.world = world;
    const tab = this;
    const { clock } = world;
    const listen = {
      addEventListener: (type, listener) => this.#listeners.add({ type, listener }),
      removeEventListener: (type, listener) => {
        for (const entry of this.#listeners) if (entry.type === type && entry.listener === listener) this.#listeners.delete(entry);
      },
    };
    this.host = {
      ...listen,
      setTimeout: (call, ms) => clock.at(ms, call, tab),
      clearTimeout: (event) => event && clock.cancel(event),
      Date: { now: () => clock.now + world.wallStep },
      Math: { random: world.random },
      document: {
        ...listen,
        get visibilityState() {
          return tab.visibility;
        },
      },
      WebSocket: class {
        readyState = 0;
        constructor(url, protocol) {
          if (protocol !== "holdfast.v1") world.fault(`the subprotocol is ${protocol}`);
          this.link = new Link(tab, this, decodeURIComponent(new URL(url).searchParams.get("token")));
        }
        opens() {
          if (this.readyState !== 0) return;
          this.readyState = 1;
          this.onopen?.({});
        }
        hears(data) {
          if (this.readyState === 1) this.onmessage?.({ data });
        }
        ends(code, reason) {
          if (this.readyState === 3) return;
          this.readyState = 3;
          this.onclose?.({ code, reason });
        }
        send(text) {
          this.link.toGateway(text);
        }
        close() {
          this.readyState = 2;
          this.link.left();
        }
      },
    };
    if (!sharing) return;
    this.host.localStorage = {
      getItem: (key) => world.storage.get(key) ?? null,
      setItem: (key, value) => void world.storage.set(key, value),
    };
    this.host.BroadcastChannel = class {
      onmessage = null;
      constructor() {
        this.tab = tab;
        world.channels.add(this);
      }
      postMessage(value) {
        for (const other of world.channels) {
          if (other === this) continue;
          const data = structuredClone(value);
          clock.at(1, () => other.onmessage?.({ data }), other.tab);
        }
      }
      close() {
        world.channels.delete(this);
      }
    };
    this.host.navigator = { locks: { request: (...given) => this.#request(...given) } };
  }
  fire(type, more = {}) {
    this.world.clock.at(0, () => {
      for (const entry of [...this.#listeners]) if (entry.type === type) entry.listener({ type, ...more });
    }, this);
  }
  show() {
    this.visibility = "visible";
    this.fire("visibilitychange");
  }
  hide() {
    this.visibility = "hidden";
    this.fire("visibilitychange");
  }
  thaw() {
    this.frozen = false;
  }
  /** Closed, or crashed: no code runs any more. */
  die() {
    this.dead = true;
    for (const channel of this.world.channels) if (channel.tab === this) this.world.channels.delete(channel);
    for (const link of [...this.world.gateway.connections]) if (link.tab === this) link.left();
    for (const lock of this.#locks) lock.leave();
  }
  #request(name, { steal, signal }, callback) {
    const { clock, locks } = this.world;
    const queue = locks.get(name) ?? [];
    locks.set(name, queue);
    return new Promise((resolve, reject) => {
      const grant = () => {
        request.granted = true;
        clock.at(0, () => callback().then(() => {
          request.leave();
          resolve();
        }), this);
      };
      const request = {
        leave: () => {
          const at = queue.indexOf(request);
          if (at >= 0) queue.splice(at, 1);
          if (queue.length > 0 && !queue[0].granted) queue[0].grant();
        },
        grant,
        lose: () => clock.at(0, () => reject(Object.assign(new Error("stolen"), { name: "AbortError" })), this),
      };
      this.#locks.push(request);
      signal?.addEventListener("abort", () => {
        if (request.granted) return;
        request.leave();
        reject(signal.reason);
      });
      if (steal) {
        const [holder] = queue;
        if (holder?.granted) queue.shift().lose();
        queue.unshift(request);
      } else {
        queue.push(request);
      }
      if (queue[0] === request) grant();
    });
  }
}
