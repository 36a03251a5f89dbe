// Builds all elements. Data becomes text nodes only, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// h("p", {class: "quiet"}, "text", element, …)
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

// ---- values

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const decimals = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? "–" : integers.format(value));

export function rate(value) {
  if (value === null || value === undefined) return "–";
  return value >= 100 ? integers.format(value) : decimals.format(value);
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? integers.format(value) : decimals.format(value)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 0.001) return `${integers.format(seconds * 1e6)} µs`;
  if (seconds < 1) return `${decimals.format(seconds * 1e3)} ms`;
  if (seconds < 60) return `${decimals.format(seconds)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// Shows a time in the reader's time zone, with the exact time in the title.
export function time(iso, { date = true } = {}) {
  if (!iso) return h("span", { class: "quiet" }, "–");
  const at = new Date(iso);
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return h("time", { datetime: iso, title: iso, class: "nowrap" }, date ? `${day} ${clock}` : clock);
}

export const code = (text, title) => h("span", { class: "mono", title: title ?? text }, text);

// Shows a long id shortened. Copying and screen readers get the whole id.
export function shortId(text) {
  if (text.length <= 14) return code(text);
  return h("span", { class: "mono", title: text, "aria-label": text },
    `${text.slice(0, 8)}…${text.slice(-4)}`);
}

const TONES = {
  ready: "good", enabled: "good", CONFIRMED: "good", Delivered: "good", CaughtUp: "good", DELIVERED: "good",
  starting: "warn", draining: "warn", FORCE_CHANGE_PASSWORD: "warn", UNCONFIRMED: "warn",
  RESET_REQUIRED: "warn", Stored: "info", STORED: "info",
  store_failed: "bad", disabled: "bad", Rejected: "bad", ConnectionClosed: "warn",
};
export function badge(text, label = text) {
  return h("span", { class: `badge ${TONES[text] ?? ""}` }, label);
}

// ---- parts of a page

export function header(title, ...actions) {
  return h("header", { class: "page-head" },
    h("h1", { tabindex: "-1" }, title), actions.length ? h("div", { class: "actions" }, actions) : null);
}

export function panel(title, ...children) {
  return h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), children);
}

export const empty = (text) => h("p", { class: "empty" }, text);

export function button(label, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, label);
}

// columns: [{ title, cell: (row) => content, number?, main? }]; the `main` column heads its row.
// On a narrow screen each row becomes a block in which every cell carries its column's title, or
// its `label`. A table with `keep` stays a table. Columns with `wide-only` are dropped there.
const classOf = (column) => [column.number ? "number" : "", column.class ?? ""].join(" ").trim() || null;
export function table(label, columns, rows, { keep = false } = {}) {
  const head = h("tr", {}, columns.map((column) =>
    h("th", { scope: "col", class: classOf(column) }, column.title)));
  const body = rows.map((row) => h("tr", {}, columns.map((column) =>
    h(column.main ? "th" : "td", {
      scope: column.main ? "row" : null,
      class: classOf(column),
      "data-title": column.label ?? column.title,
    }, column.cell(row)))));
  return h("div", { class: "table-frame", role: "region", "aria-label": label },
    h("table", { class: keep ? "table keep" : "table" }, h("caption", { class: "hidden" }, label),
      h("thead", {}, head), h("tbody", {}, body)));
}

export function facts(pairs, kind = "") {
  return h("dl", { class: `facts ${kind}` }, pairs.filter(Boolean).map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

let fieldCount = 0;
// Makes a labelled control; screen readers read `hint` with it.
export function field(label, control, hint) {
  const id = `field-${++fieldCount}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id }, label), control,
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null);
}

// ---- what is told and asked

const kToasts = 3;
export function toast(text, tone = "good") {
  const note = h("p", { class: `toast ${tone}` }, text);
  const notes = document.getElementById("toasts");
  if (notes.children.length >= kToasts) notes.firstChild.remove();
  notes.append(note);
  setTimeout(() => note.remove(), tone === "bad" ? 9000 : 5000);
}

// Opens a modal dialog with a form. Shows an error that `submit` throws in the dialog. Resolves with
// the result of `submit`, or with undefined if the dialog was cancelled.
export function dialog({ title, body, action, danger = false, submit }) {
  return new Promise((resolve) => {
    let result;
    const problem = h("p", { class: "problem", role: "alert", hidden: true });
    const confirm = h("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
    const cancel = button("Cancel", () => element.close());
    const form = h("form", {
      method: "dialog",
      onsubmit: async (event) => {
        event.preventDefault();
        confirm.disabled = true;
        try {
          result = (await submit(form)) ?? true;
          element.close();
        } catch (error) {
          problem.textContent = error.message;
          problem.hidden = false;
        }
        confirm.disabled = false;
      },
    }, h("h2", { id: "dialog-title" }, title), body, problem,
    h("div", { class: "actions" }, cancel, confirm));
    const element = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    const before = document.activeElement;
    element.addEventListener("close", () => {
      element.remove();
      if (before?.isConnected) before.focus();
      resolve(result);
    });
    document.body.append(element);
    element.showModal();
    // Enter must not trigger an action that destroys something.
    if (danger && !form.querySelector("input, textarea, select")) cancel.focus();
  });
}

// Shows a secret once, with buttons to copy it.
export function reveal(title, ...children) {
  return new Promise((resolve) => {
    const close = button("Done", () => element.close(), { class: "primary" });
    const element = h("dialog", { "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title" }, title), children, h("div", { class: "actions" }, close));
    const before = document.activeElement;
    element.addEventListener("close", () => {
      element.remove();
      if (before?.isConnected) before.focus();
      resolve();
    });
    document.body.append(element);
    element.showModal();
  });
}

export function copyable(label, text) {
  const say = h("span", { class: "hidden", role: "status" });
  return h("div", { class: "copyable" }, h("span", { class: "label" }, label),
    h("output", { class: "mono" }, text),
    button("Copy", async () => {
      await navigator.clipboard.writeText(text);
      say.textContent = `${label} copied`;
      toast(`${label} copied`);
    }, { "aria-label": `Copy ${label}` }), say);
}
