import { badge, bytes, button, count, duration, facts, h, header, panel, rate, replace, table, time } from "./dom.js";
import { lineChart } from "./charts.js";
import { live } from "./live.js";

const kSpokenMs = 30_000;

function tile(title, value, note) {
  return h("div", { class: "tile" }, h("span", { class: "tile-title" }, title),
    h("strong", { class: "tile-value" }, value), h("span", { class: "tile-note" }, note ?? ""));
}

function tiles(status, sample) {
  const d = status.delivery;
  return [
    tile("Messages accepted", sample.accepted === null ? "–" : `${rate(sample.accepted)}/s`, `${count(d.accepted)} since start`),
    tile("Latency, median", sample.p50 === null ? "–" : duration(sample.p50),
      sample.p99 === null ? "none acknowledged lately" : `p99 ${duration(sample.p99)}`),
    tile("Connections", count(d.connections), `mailboxes in memory: ${count(d.mailboxes)}`),
    tile("Pending", count(d.pendingMessages), bytes(d.pendingBytes)),
  ];
}

function stateLine(status) {
  return [badge(status.state, status.state.replace("_", " ")), h("span", {}, `Holdfast ${status.version}`),
    h("span", {}, `up ${duration(status.uptimeSeconds)}`), h("span", {}, `${status.shards} shards`),
    h("span", {}, "since ", time(status.startedAt))];
}

function numbers(status) {
  const d = status.delivery;
  const s = status.store;
  return [
    panel("Delivery", facts([
      ["Accepted", count(d.accepted)], ["Delivered", count(d.delivered)],
      ["Delivered without storing", count(d.elided)], ["Stored", count(d.stored)],
      ["Sent from disk", count(d.flushed)], ["Rejected", count(d.rejected)],
      ["Deduplicated", count(d.deduplicated)], ["Expired", count(d.expired)],
      ["Timed out", count(d.timeouts)], ["Unrecognized messages from clients", count(d.foreignTexts)],
    ], "dense")),
    panel("Store", facts([
      ["Commits", s.writable ? badge("ready", "working") : badge("store_failed", "failing")],
      ["Queue", count(s.queued)], ["Transactions", count(s.transactions)],
      ["Operations", count(s.operations)], ["Failed transactions", count(s.failedTransactions)],
      ["Database", bytes(s.databaseBytes)], ["Write-ahead log", bytes(s.walBytes)],
      ["Log lines dropped", count(status.droppedLogLines)],
    ], "dense")),
  ];
}

function listeners(status) {
  return table("Listeners", [
    { title: "Part", main: true, cell: (row) => row.part },
    { title: "Address", class: "mono break", cell: (row) => row.address },
    { title: "Sockets", number: true, cell: (row) => count(row.openSockets) },
    { title: "WebSockets", number: true, cell: (row) => count(row.openWebsockets) },
    { title: "Requests", number: true, cell: (row) => count(row.requests) },
    { title: "Refused", number: true, cell: (row) => count(row.refusedConnections) },
  ], status.listeners);
}

export function overview(page) {
  const charts = [
    lineChart({ title: "Messages per second", format: rate, series: [
      { name: "accepted", className: "a", pick: (sample) => sample.accepted },
      { name: "delivered", className: "b", pick: (sample) => sample.delivered },
      { name: "stored", className: "c", pick: (sample) => sample.stored }] }),
    lineChart({ title: "Acceptance to acknowledgement", format: duration, least: 0.001, series: [
      { name: "p50", className: "a", pick: (sample) => sample.p50 },
      { name: "p99", className: "c", pick: (sample) => sample.p99 }] }),
    lineChart({ title: "Connections", format: count, least: 2, whole: true, series: [
      { name: "open", className: "b", pick: (sample) => sample.connections }] }),
    lineChart({ title: "Pending messages", format: count, least: 2, whole: true, series: [
      { name: "pending", className: "c", pick: (sample) => sample.pending }] }),
  ];
  const line = h("p", { class: "state-line" }, "Loading…");
  const tileRow = h("div", { class: "tiles" });
  const panels = h("div", { class: "panels" });
  const listenerPlace = h("div", {});
  const spoken = h("p", { class: "hidden", "aria-live": "polite" });
  const pause = button("Pause", () => {
    live.paused = !live.paused;
    pause.textContent = live.paused ? "Resume" : "Pause";
  }, { title: "Stops or resumes the live update" });
  if (live.paused) pause.textContent = "Resume";
  const chartRow = h("div", { class: "charts" }, charts.map((chart) => chart.element));
  const aging = [tileRow, chartRow, panels, listenerPlace];
  page.append(header("Overview", pause), line, spoken, tileRow, chartRow, panels,
    panel("Listeners", listenerPlace));

  let spokenAt = -kSpokenMs;
  let spokenState = null;
  function speak(status, sample) {
    const now = performance.now();
    if (status.state === spokenState && now - spokenAt < kSpokenMs) return;
    spokenAt = now;
    spokenState = status.state;
    spoken.textContent = `${status.state}. ${count(sample.connections)} connections, ` +
      `${count(sample.pending)} pending messages, ${rate(sample.accepted)} accepted per second.`;
  }
  function draw() {
    const { status, samples } = live;
    // Dims old numbers and shows their time.
    for (const place of aging) place.classList.toggle("stale", live.error !== null);
    if (live.error) {
      replace(line, badge("store_failed", "no answer"), h("span", {}, live.error.message),
        live.statusAt && h("span", {}, "as of ", time(live.statusAt.toISOString(), { date: false })),
        h("span", {}, `retrying in ${live.retryIn} s`));
      return;
    }
    if (!status) return;
    const sample = samples.at(-1);
    replace(line, stateLine(status));
    replace(tileRow, tiles(status, sample));
    for (const chart of charts) chart.draw(samples);
    replace(panels, numbers(status));
    replace(listenerPlace, listeners(status));
    speak(status, sample);
  }
  live.listeners.add(draw);
  const resized = new ResizeObserver(draw);
  resized.observe(page);
  draw();
  return () => {
    live.listeners.delete(draw);
    resized.disconnect();
  };
}
