import { api } from "./api.js";
import { badge, button, bytes, count, dialog, field, h, header, shortId, table, time, toast } from "./dom.js";
import { pagedList } from "./list.js";
import { userRef } from "./messages.js";

const kPage = 50;

const plural = (number) => (number === 1 ? "1 dead letter" : `${count(number)} dead letters`);

// Repeats a change for all pages, so that it covers everything that the filter matches.
async function throughPages(call, body, member) {
  let done = 0;
  const failed = [];
  let after;
  do {
    const answer = await call(after === undefined ? body : { ...body, after });
    done += answer[member].length;
    failed.push(...answer.failed);
    after = answer.next ?? undefined;
  } while (after !== undefined && !body.messageIds);
  return { done, failed };
}

export function deadLetters(page) {
  const userId = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 128 });
  const reason = h("select", {}, h("option", { value: "" }, "any"),
    ["expired", "deleted", "user_deleted", "user_disabled", "undeliverable", "damaged"].map((value) => h("option", { value }, value)));
  const chosen = new Set();
  const redriveChosen = button("Redrive selected", () => change("redrive", { messageIds: [...chosen] }, plural(chosen.size)));
  const deleteChosen = button("Delete selected", () => change("delete", { messageIds: [...chosen] }, plural(chosen.size)), { class: "danger" });
  const said = h("span", { class: "quiet", role: "status" });

  const filter = () => ({ ...(userId.value.trim() && { userId: userId.value.trim() }), ...(reason.value && { reason: reason.value }) });
  const wanted = () => (Object.keys(filter()).length ? filter() : { all: true });
  const words = () => (wanted().all ? "all dead letters" : "all dead letters of this filter");

  function told() {
    redriveChosen.disabled = deleteChosen.disabled = chosen.size === 0;
    said.textContent = chosen.size ? `${chosen.size} selected` : "";
  }
  function show(rows) {
    chosen.clear();
    told();
    const boxes = rows.map((row) => h("input", { type: "checkbox", "aria-label": `Select ${row.messageId}`,
      onchange: (event) => { event.target.checked ? chosen.add(row.messageId) : chosen.delete(row.messageId); told(); } }));
    const all = h("input", { type: "checkbox", "aria-label": "Select all on this page", onchange: () => {
      boxes.forEach((box, index) => {
        box.checked = all.checked;
        all.checked ? chosen.add(rows[index].messageId) : chosen.delete(rows[index].messageId);
      });
      told();
    } });
    return table("Dead letters", [
      { title: all, label: "Select", class: "select", cell: (row) => boxes[rows.indexOf(row)] },
      { title: "Message", main: true, cell: (row) => shortId(row.messageId) },
      { title: "User", cell: (row) => userRef(row.userId) },
      { title: "Reason", cell: (row) => h("span", { title: row.detail }, badge(row.reason)) },
      { title: "Size", number: true, cell: (row) => bytes(row.bytes) },
      { title: "First accepted", cell: (row) => time(row.firstAcceptedAt) },
      { title: "Accepted", cell: (row) => time(row.acceptedAt) },
      { title: "Died", cell: (row) => time(row.diedAt) },
    ], rows);
  }
  const list = pagedList({
    label: "dead letters", none: "No dead letters. That is good.",
    load: async (after) => {
      const answer = await api.deadLetters({ ...filter(), after, limit: kPage });
      if (!answer.deadLetters.length) { chosen.clear(); told(); }
      return { rows: answer.deadLetters, next: answer.next };
    },
    show,
  });

  async function change(what, body, which) {
    const redrive = what === "redrive";
    const lifetime = h("input", { type: "number", min: 1, max: 315360000, step: 1, placeholder: "as before" });
    const wish = () => (redrive && lifetime.value ? { ...body, ttlSeconds: Number(lifetime.value) } : body);
    const outcome = await dialog({
      title: `${redrive ? "Redrive" : "Delete"} ${which}?`, action: redrive ? "Redrive" : "Delete", danger: !redrive,
      body: redrive
        ? [h("p", {}, "Each message is sent again with the same id and a new sequence, and delivered or stored like any other."),
          field("Lifetime in seconds", lifetime, "Leave empty for each message's first lifetime; expired messages get the configured default.")]
        : h("p", {}, "You cannot undo this."),
      submit: () => throughPages(redrive ? api.redrive : api.deleteDeadLetters, wish(), redrive ? "redriven" : "deleted"),
    });
    if (!outcome) return;
    toast(`${plural(outcome.done)} ${redrive ? "redriven" : "deleted"}`);
    if (outcome.failed.length) {
      toast(`${plural(outcome.failed.length)} failed: ${outcome.failed[0].message}`, "bad");
    }
    list.restart();
  }

  told();
  page.append(header("Dead letters", button("Refresh", () => list.refresh())),
    h("p", { class: "lead" }, "Messages that were not delivered, and the reasons."),
    h("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); list.restart(); } },
      field("User id", userId), field("Reason", reason), h("button", { type: "submit" }, "Filter")),
    h("div", { class: "bar choices" }, redriveChosen, deleteChosen,
      button("Redrive all…", () => change("redrive", wanted(), words())),
      button("Delete all…", () => change("delete", wanted(), words()), { class: "danger" }), said),
    list.element);
}
