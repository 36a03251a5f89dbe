import { api } from "./api.js";
import { badge, code, count, duration, empty, facts, field, h, header, panel, replace, shortId, table, time } from "./dom.js";
import { executionPicture } from "./machine.js";
import { pagedList } from "./list.js";

const kShown = 100;
const kUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const took = (run) => {
  const first = run.steps[0];
  const last = run.steps.at(-1);
  return first && last ? (last.atMicros - first.atMicros) / 1e6 : null;
};
export const userRef = (userId) => h("a", { href: `#/users/${encodeURIComponent(userId)}`, title: userId },
  userId.length > 20 ? `${userId.slice(0, 8)}…${userId.slice(-4)}` : userId);

export function executionTable(executions, withUser = true) {
  return table("Executions", [
    { title: "Execution", main: true, cell: (run) => h("a", { href: `#/messages/${run.id}` }, shortId(run.id)) },
    { title: "Workflow", cell: (run) => run.workflow },
    ...(withUser ? [{ title: "User", cell: (run) => userRef(run.userId) }] : []),
    { title: "State", cell: (run) => badge(run.state) },
    { title: "Steps", number: true, class: "wide-only", cell: (run) => count(run.stepCount) },
    { title: "Took", number: true, cell: (run) => (run.finished ? duration(took(run)) : "running") },
    { title: "Started", cell: (run) => time(run.startedAt) },
  ], executions);
}

export function messages(page) {
  const text = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 128 });
  const list = pagedList({
    label: "executions", none: "No recent executions.",
    load: async () => ({ rows: (await api.executions({ userId: text.value.trim(), limit: kShown })).executions }),
    show: (rows) => executionTable(rows),
  });
  const form = h("form", { class: "bar", role: "search", onsubmit: (event) => {
    event.preventDefault();
    const wanted = text.value.trim();
    // Tries a message id first, because message ids and user ids are both UUIDs.
    if (kUuid.test(wanted)) return void find(wanted, list);
    list.restart();
  } }, field("Message id or user id", text), h("button", { type: "submit" }, "Find"));
  page.append(header("Messages"),
    h("p", { class: "lead" }, "The latest runs of the delivery workflows, step by step. The text of messages is never shown."),
    form, list.element);
}

async function find(wanted, list) {
  try {
    await api.execution(wanted);
    location.hash = `#/messages/${wanted}`;
  } catch {
    list.restart();
  }
}

function stepTable(run) {
  const begin = run.steps[0]?.atMicros ?? 0;
  return table("Steps", [
    { title: "#", number: true, cell: (step) => step.number },
    { title: "State", main: true, cell: (step) => badge(step.state) },
    { title: "At", class: "wide-only", cell: (step) => code(step.at.slice(11, 23), step.at) },
    { title: "After", number: true, cell: (step) => `+${duration((step.atMicros - begin) / 1e6)}` },
    { title: "Step time", number: true, cell: (step) => (step.since === null ? "–" : duration(step.since)) },
  ], run.steps.map((step, index) => ({ ...step, number: index + 1,
    since: index === 0 ? null : (step.atMicros - run.steps[index - 1].atMicros) / 1e6 })), { keep: true });
}

function oneRun(run) {
  const catching = run.workflow === "SendUnsentMessages";
  return panel(run.workflow,
    facts([["Execution", code(run.id)], ["User", userRef(run.userId)], ["State", badge(run.state)],
      ["Started", time(run.startedAt)], ["Took", run.finished ? duration(took(run)) : "still running"],
      ["Sequence", code(String(run.sequence))], catching ? ["Messages sent", count(run.messages)] : null]),
    executionPicture(run),
    run.stepCount > run.steps.length
      ? h("p", { class: "hint" }, `Only the first and the last of ${count(run.stepCount)} steps are kept.`) : null,
    stepTable(run));
}

export async function message(page, id) {
  async function draw() {
    let runs = [];
    try {
      runs = (await api.execution(id)).executions;
    } catch (error) {
      if (error.status !== 404 && error.status !== 400) throw error;
    }
    replace(page, header("Execution", h("button", { type: "button", onclick: draw }, "Refresh")),
      runs.length ? runs.map(oneRun) : empty("No execution with this id is remembered. Each shard keeps a limited number of runs, and new runs replace old ones."));
  }
  await draw();
}
