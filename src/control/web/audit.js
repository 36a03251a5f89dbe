import { api } from "./api.js";
import { badge, button, field, h, header, table, time } from "./dom.js";
import { pagedList } from "./list.js";

const kPage = 50;

export function audit(page) {
  const action = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 64, placeholder: "login, user., access_key." });
  const actor = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 200 });
  const username = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 128 });
  const outcome = h("select", {}, h("option", { value: "" }, "any"),
    ["done", "refused", "failed"].map((value) => h("option", { value }, value)));
  const list = pagedList({
    label: "audit records", none: "No matching records.",
    load: async (before) => {
      const answer = await api.audit({ action: action.value.trim(), actor: actor.value.trim(), username: username.value.trim(),
        outcome: outcome.value, before, limit: kPage });
      return { rows: answer.records, next: answer.next };
    },
    show: (rows) => table("Audit records", [
      { title: "Time", cell: (row) => time(row.time) },
      { title: "Action", main: true, cell: (row) => row.action },
      { title: "Actor", cell: (row) => row.actor },
      { title: "Target", cell: (row) => row.target },
      { title: "Outcome", cell: (row) => badge(row.outcome) },
      { title: "Reason", cell: (row) => row.reason },
      { title: "Address", cell: (row) => row.remoteAddress },
    ], rows),
  });
  page.append(header("Audit", button("Refresh", () => list.refresh())),
    h("p", { class: "lead" }, "Logins, refusals and changes, newest first."),
    h("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); list.restart(); } },
      field("Action", action), field("Actor", actor), field("Refused username", username), field("Outcome", outcome),
      h("button", { type: "submit" }, "Filter")),
    list.element);
}
