import { api } from "./api.js";
import { button, code, dialog, field, h, header, table, time, toast } from "./dom.js";
import { pagedList } from "./list.js";
import { userRef } from "./messages.js";

const kPage = 50;

async function close(connection, reload) {
  const done = await dialog({
    title: "Close this connection?", action: "Close connection", danger: true,
    body: h("p", {}, `${connection.username || connection.userId} from ${connection.remoteAddress}. The client may reconnect at once. No message is lost.`),
    submit: () => api.closeConnection(connection.connectionId),
  });
  if (!done) return;
  toast("The connection was closed");
  reload();
}

export function connectionTable(connections, reload) {
  return table("Connections", [
    { title: "Connection", main: true, cell: (row) => code(row.connectionId) },
    { title: "User", class: "break", cell: (row) => (row.username ? h("a", { href: `#/users/${encodeURIComponent(row.userId)}` }, row.username) : userRef(row.userId)) },
    { title: "From", cell: (row) => code(row.remoteAddress) },
    { title: "Client", class: "clip", cell: (row) => h("span", { title: row.userAgent }, row.userAgent || "–") },
    { title: "Since", cell: (row) => time(row.connectedAt) },
    { title: "Last active", cell: (row) => time(row.lastActiveAt, { date: false }) },
    { title: "Shard", number: true, cell: (row) => row.shard },
    { title: "", class: "row-actions", cell: (row) => button("Close", () => close(row, reload), { "aria-label": `Close connection ${row.connectionId}` }) },
  ], connections);
}

export function connections(page) {
  const userId = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 128 });
  const list = pagedList({
    label: "connections", none: "No open connections.",
    load: async (after) => {
      const answer = await api.connections({ userId: userId.value.trim(), after, limit: kPage });
      return { rows: answer.connections, next: answer.next };
    },
    show: (rows) => connectionTable(rows, () => list.refresh()),
  });
  page.append(header("Connections", button("Refresh", () => list.refresh())),
    h("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); list.restart(); } },
      field("User id", userId), h("button", { type: "submit" }, "Filter")), list.element);
}
