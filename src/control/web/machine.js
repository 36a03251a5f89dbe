// Draws an execution as a state machine, with its path highlighted and a time at each step.
import { duration, h, svg } from "./dom.js";

const kWide = { width: 148, height: 50, column: 190, row: 128, left: 8, top: 8, bend: 34 };
const kNarrow = { width: 132, height: 46, column: 150, row: 84, left: 20, top: 8, bend: 22 };

// `bend` is the room for edges around the outside.
// `wide` and `narrow` are columns and rows; an edge names the sides where it leaves and arrives.
const MACHINES = {
  SendMessage: {
    nodes: {
      Received: { wide: [0, 0], narrow: [0, 0] },
      LookUpConnection: { wide: [1, 0], narrow: [0, 1] },
      Sending: { wide: [2, 0], narrow: [0, 2] },
      AwaitingAck: { wide: [3, 0], narrow: [0, 3] },
      Delivered: { wide: [4, 0], narrow: [0, 4], end: "good" },
      Storing: { wide: [2, 1], narrow: [1, 3] },
      Stored: { wide: [3, 1], narrow: [1, 4], end: "info" },
      Rejected: { wide: [4, 1], narrow: [1, 5], end: "bad" },
    },
    edges: [
      ["Received", "LookUpConnection", "rl", "bt"],
      ["LookUpConnection", "Sending", "rl", "bt"],
      ["LookUpConnection", "Storing", "bl", "rt"],
      ["Sending", "AwaitingAck", "rl", "bt"],
      ["Sending", "Storing", "bt", "rt"],
      ["AwaitingAck", "Delivered", "rl", "bt"],
      ["AwaitingAck", "Storing", "bt", "rl"],
      ["AwaitingAck", "Stored", "bt", "bt"],
      ["AwaitingAck", "Rejected", "bt", "bl"],
      ["Storing", "AwaitingAck", "tb", "lr"],
      ["Storing", "Stored", "rl", "bt"],
      ["Storing", "Delivered", "tb", "br"],
      ["Storing", "Rejected", "bb", "rr"],
    ],
  },
  SendUnsentMessages: {
    nodes: {
      ReadingPage: { wide: [0, 0], narrow: [0, 0] },
      SendingPage: { wide: [1, 0], narrow: [0, 1] },
      AwaitingPageAck: { wide: [2, 0], narrow: [0, 2] },
      Deleting: { wide: [3, 0], narrow: [0, 3] },
      CaughtUp: { wide: [1, 1], narrow: [1, 1], end: "good" },
      ConnectionClosed: { wide: [2, 1], narrow: [1, 3], end: "warn" },
    },
    edges: [
      ["ReadingPage", "SendingPage", "rl", "bt"],
      ["ReadingPage", "CaughtUp", "bl", "rt"],
      ["SendingPage", "AwaitingPageAck", "rl", "bt"],
      ["SendingPage", "CaughtUp", "bt", "rl"],
      ["SendingPage", "ReadingPage", "tt", "ll"],
      ["AwaitingPageAck", "Deleting", "rl", "bt"],
      ["AwaitingPageAck", "CaughtUp", "bt", "rl"],
      ["AwaitingPageAck", "ConnectionClosed", "bt", "rl"],
      ["Deleting", "ReadingPage", "tt", "ll"],
      ["Deleting", "CaughtUp", "bt", "rl"],
      ["Deleting", "ConnectionClosed", "bt", "rl"],
      ["CaughtUp", "ReadingPage", "lb", "tr"],
      ["ReadingPage", "ConnectionClosed", "bt", "rl"],
      ["SendingPage", "ConnectionClosed", "bt", "rl"],
    ],
  },
};
// Rare edges, drawn only if the run took them, to keep the picture calm.
const RARE = new Set(["Storing>AwaitingAck", "AwaitingAck>Stored", "AwaitingAck>Rejected", "Sending>Storing",
  "SendingPage>CaughtUp", "AwaitingPageAck>CaughtUp", "Deleting>CaughtUp", "CaughtUp>ReadingPage",
  "ReadingPage>ConnectionClosed", "SendingPage>ConnectionClosed", "Deleting>ConnectionClosed"]);

const SIDES = { l: [-1, 0], r: [1, 0], t: [0, -1], b: [0, 1] };

function place(node, narrow) {
  const grid = narrow ? kNarrow : kWide;
  const [column, row] = narrow ? node.narrow : node.wide;
  return { x: grid.left + column * grid.column, y: grid.top + grid.bend + row * grid.row, ...grid };
}

function anchor(box, side) {
  const [dx, dy] = SIDES[side];
  return [box.x + box.width / 2 + (dx * box.width) / 2, box.y + box.height / 2 + (dy * box.height) / 2, dx, dy];
}

function curve(from, to, [leave, arrive]) {
  const [x1, y1, dx1, dy1] = anchor(from, leave);
  const [x2, y2, dx2, dy2] = anchor(to, arrive);
  const tip = 5;  // of the arrow
  const ex = x2 + dx2 * tip;
  const ey = y2 + dy2 * tip;
  const reach = leave === arrive ? from.bend : Math.max(18, Math.min(64, Math.hypot(ex - x1, ey - y1) / 2));
  return `M${x1} ${y1}C${x1 + dx1 * reach} ${y1 + dy1 * reach} ${ex + dx2 * reach} ${ey + dy2 * reach} ${ex} ${ey}`;
}

function arrow(id, className) {
  return svg("marker", { id, class: className, viewBox: "0 0 8 8", refX: 3, refY: 4, markerWidth: 7,
    markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0 0L8 4L0 8z" }));
}

function words(execution) {
  const begin = execution.steps[0]?.atMicros ?? 0;
  return execution.steps.map((step) =>
    `${step.state} after ${duration((step.atMicros - begin) / 1e6)}`).join(", then ");
}

let drawings = 0;

// Draws the picture for one width. Times count from the run's first step.
export function drawExecution(execution, narrow) {
  const machine = MACHINES[execution.workflow];
  const begin = execution.steps[0]?.atMicros ?? 0;
  const taken = new Map();
  const visited = new Map();
  execution.steps.forEach((step, index) => {
    if (!visited.has(step.state)) visited.set(step.state, []);
    visited.get(step.state).push((step.atMicros - begin) / 1e6);
    if (index > 0) taken.set(`${execution.steps[index - 1].state}>${step.state}`, true);
  });
  const known = machine.edges.map(([from, to]) => `${from}>${to}`);
  const extra = [...taken.keys()].filter((edge) => !known.includes(edge)).map((edge) => edge.split(">"))
    .filter(([from, to]) => from !== to && machine.nodes[from] && machine.nodes[to])
    .map(([from, to]) => [from, to, "bt", "bt"]);
  const number = ++drawings;
  const boxes = Object.fromEntries(Object.entries(machine.nodes).map(([name, node]) => [name, place(node, narrow)]));
  const right = Math.max(...Object.values(boxes).map((box) => box.x + box.width)) + (narrow ? 22 : 8);
  const bottom = Math.max(...Object.values(boxes).map((box) => box.y + box.height)) + (narrow ? 8 : 34);
  const edges = [...machine.edges, ...extra].map(([from, to, wideSides, narrowSides]) => ({
    lit: taken.has(`${from}>${to}`), rare: RARE.has(`${from}>${to}`), from, to,
    sides: narrow ? narrowSides : wideSides,
  })).filter((edge) => edge.lit || !edge.rare).sort((a, b) => a.lit - b.lit);
  const last = execution.steps.at(-1)?.state;
  return svg("svg", { class: narrow ? "machine narrow" : "machine", role: "img", viewBox: `0 0 ${right} ${bottom}`, width: right, height: bottom,
    "aria-label": `${execution.workflow}: ${words(execution)}` },
  svg("defs", {}, arrow(`tip-${number}`, "tip"), arrow(`tip-lit-${number}`, "tip lit")),
  edges.map((edge) => svg("path", {
    class: edge.lit ? "edge lit" : "edge", d: curve(boxes[edge.from], boxes[edge.to], edge.sides),
    "marker-end": `url(#${edge.lit ? "tip-lit" : "tip"}-${number})`, "data-edge": `${edge.from}>${edge.to}`,
  })),
  Object.entries(boxes).map(([name, box]) => {
    const times = visited.get(name);
    const end = machine.nodes[name].end;
    const classes = ["node", times ? "lit" : "", times && end ? end : "", name === last ? "last" : ""];
    const label = times && `+${duration(times[0])}${times.length > 1 ? ` ×${times.length}` : ""}`;
    return svg("g", { class: classes.filter(Boolean).join(" "), "data-state": name },
      svg("rect", { x: box.x, y: box.y, width: box.width, height: box.height, rx: end ? box.height / 2 : 8 }),
      svg("text", { x: box.x + box.width / 2, y: box.y + (times ? 21 : box.height / 2 + 4), "text-anchor": "middle" }, name),
      times && svg("text", { class: "at", x: box.x + box.width / 2, y: box.y + 38, "text-anchor": "middle" }, label));
  }));
}

// Redraws the picture when the window becomes narrow or wide.
export function executionPicture(execution) {
  const narrow = matchMedia("(max-width: 1180px)");
  const frame = h("div", { class: "machine-frame" });
  const draw = () => frame.replaceChildren(drawExecution(execution, narrow.matches));
  narrow.addEventListener("change", () => frame.isConnected && draw());
  draw();
  return frame;
}
