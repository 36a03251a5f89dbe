// Polls the status every two seconds while the page is visible, and keeps the last minutes.
import { api } from "./api.js";

const kPeriodMs = 2_000;
const kRetrySeconds = 5;
const kSecondMs = 1_000;
const kPatienceMs = 10_000;  // for an answer; a gateway that hangs gives none
const kSamples = 150;  // five minutes
const kLatencyWindow = 5;  // samples over which a percentile is taken

export const live = {
  status: null,
  statusAt: null,  // when it came, by this machine's clock
  error: null,
  retryIn: 0,      // seconds until it is asked for again, after an error
  paused: false,
  samples: [],
  listeners: new Set(),
};

// Returns a quantile of a histogram, by linear interpolation within its bucket; null if it is empty.
// Buckets are cumulative; the last one has no upper limit.
export function percentile(buckets, share) {
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return null;
  const wanted = total * share;
  let below = 0;
  let from = 0;
  for (const { le, count } of buckets) {
    if (count >= wanted) {
      if (le === null) return from;
      return from + (le - from) * ((wanted - below) / Math.max(count - below, 1));
    }
    below = count;
    from = le ?? from;
  }
  return from;
}

function since(now, before) {
  if (!before || before.length !== now.length) return now;
  return now.map((bucket, index) => ({ le: bucket.le, count: bucket.count - before[index].count }));
}

function sampleOf(status, at) {
  const d = status.delivery;
  const last = live.samples.at(-1);
  const restarted = last && last.startedAt !== status.startedAt;
  if (restarted) live.samples.length = 0;
  const before = restarted ? undefined : last;
  const seconds = before ? (at - before.at) / 1000 : 0;
  const perSecond = (name) => (before ? Math.max(0, d[name] - before.delivery[name]) / seconds : null);
  const buckets = d.acknowledgement?.buckets ?? null;
  const window = live.samples.at(-kLatencyWindow)?.buckets ?? live.samples[0]?.buckets;
  const recent = buckets && window ? since(buckets, window) : null;
  return {
    at, startedAt: status.startedAt, delivery: d, buckets,
    accepted: perSecond("accepted"), delivered: perSecond("delivered"), stored: perSecond("stored"),
    p50: recent && percentile(recent, 0.5), p99: recent && percentile(recent, 0.99),
    connections: d.connections, pending: d.pendingMessages,
  };
}

async function poll() {
  if (live.paused || document.hidden) return;
  try {
    const status = await api.status(AbortSignal.timeout(kPatienceMs));
    live.samples.push(sampleOf(status, performance.now()));
    if (live.samples.length > kSamples) live.samples.shift();
    live.status = status;
    live.statusAt = new Date();
    live.error = null;
  } catch (error) {
    live.error = error;
    live.retryIn = kRetrySeconds;
    if (error.status === 401) return stopLive();
  }
  notify();
}

function notify() {
  for (const listener of live.listeners) listener();
}

// After an error, counts down the seconds to the next attempt, to show that polling continues.
async function step() {
  if (live.error && live.retryIn > 1) {
    live.retryIn -= 1;
    notify();
  } else {
    await poll();
  }
  if (running) timer = setTimeout(step, live.error ? kSecondMs : kPeriodMs);
}

let running = false;
let timer = null;
export function startLive() {
  if (running) return;
  running = true;
  step();
}
export function stopLive() {
  running = false;
  clearTimeout(timer);
}
