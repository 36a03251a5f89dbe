import { api } from "./api.js";
import { badge, button, bytes, code, count, dialog, empty, facts, field, h, header, panel, replace, shortId, table, time, toast } from "./dom.js";
import { pagedList } from "./list.js";
import { connectionTable } from "./connections.js";
import { executionTable } from "./messages.js";

const kPage = 20;

const FILTERS = {
  name: { label: "Name begins with", filter: (text) => `username ^= ${text}` },
  email: { label: "Email begins with", filter: (text) => `email ^= ${text}` },
  id: { label: "User id is", filter: (text) => `sub = ${text}` },
};
const kPending = "pending";  // not asked of the user pool, but of the messages

const quoted = (text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

const userLink = (user) =>
  h("a", { href: `#/users/${encodeURIComponent(user.userId)}`, title: user.username }, user.username);
const emailOf = ({ attributes: { email } }) =>
  (email ? h("span", { title: email }, email) : h("span", { class: "quiet" }, "–"));
const enabled = (user) => badge(user.enabled ? "enabled" : "disabled");

function userTable(users) {
  return table("Users", [
    { title: "Name", main: true, class: "cut", cell: userLink },
    { title: "User id", class: "wide-only fixed", cell: (user) => shortId(user.userId) },
    { title: "Email", class: "cut", cell: emailOf },
    { title: "Status", class: "fixed", cell: (user) => badge(user.status, user.status.toLowerCase().replaceAll("_", " ")) },
    { title: "Access", class: "fixed", cell: enabled },
    { title: "Created", class: "wide-only fixed", cell: (user) => time(user.createdAt) },
  ], users);
}

function pendingUserTable(rows) {
  return table("Users with pending messages", [
    { title: "User id", main: true, class: "break", cell: (row) => h("a", { href: `#/users/${encodeURIComponent(row.userId)}` }, row.userId) },
    { title: "Messages", number: true, cell: (row) => count(row.messages) },
    { title: "Size", number: true, cell: (row) => bytes(row.bytes) },
  ], rows);
}

export function users(page) {
  const kind = h("select", {}, Object.entries(FILTERS).map(([value, { label }]) => h("option", { value }, label)),
    h("option", { value: kPending }, "Has pending messages"));
  const text = h("input", { type: "search", autocomplete: "off", spellcheck: "false", maxlength: 128 });
  const list = pagedList({
    label: "users", none: "No matching users.",
    load: async (after) => {
      if (kind.value === kPending) {
        const answer = await api.pendingUsers({ after, limit: kPage });
        return { rows: answer.users, next: answer.next };
      }
      const wanted = text.value.trim();
      const filter = wanted ? FILTERS[kind.value].filter(quoted(wanted)) : "";
      const answer = await api.users({ filter, after, limit: kPage });
      return { rows: answer.users, next: answer.next };
    },
    show: (rows) => (rows[0].username === undefined ? pendingUserTable(rows) : userTable(rows)),
  });
  kind.addEventListener("change", () => {
    text.disabled = kind.value === kPending;
    if (text.disabled) list.restart();
  });
  const form = h("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); list.restart(); } },
    field("Search by", kind), field("For", text), h("button", { type: "submit" }, "Search"));
  page.append(header("Users", button("New user", () => createUser(list), { class: "primary" })), form, list.element);
}

async function createUser(list) {
  const name = h("input", { required: true, maxlength: 128, autocomplete: "off", spellcheck: "false" });
  const password = h("input", { type: "password", minlength: 8, maxlength: 256, autocomplete: "new-password", required: true });
  const permanent = h("input", { type: "checkbox" });
  const made = await dialog({
    title: "New user", action: "Create",
    body: [field("Name", name), field("Password", password, "8 to 256 characters"),
      h("label", { class: "check" }, permanent, "The password is permanent (otherwise the first sign-in changes it)")],
    submit: () => api.createUser({ username: name.value, password: password.value, permanent: permanent.checked }),
  });
  if (!made) return;
  toast(`${made.username} was created`);
  list.restart();
}

// ---- one user

async function setPassword(user) {
  const password = h("input", { type: "password", minlength: 8, maxlength: 256, autocomplete: "new-password", required: true });
  const permanent = h("input", { type: "checkbox" });
  const done = await dialog({
    title: `Set the password of ${user.username}`, action: "Set password",
    body: [field("New password", password, "8 to 256 characters"),
      h("label", { class: "check" }, permanent, "Permanent (otherwise the next sign-in changes it)"),
      h("p", { class: "hint" }, "This ends all logins of the user and closes the user's connections.")],
    submit: () => api.changeUser(user.userId, { password: password.value, permanent: permanent.checked }),
  });
  if (done) toast("The password was set");
  return done;
}

const confirmed = (title, text, action, submit) =>
  dialog({ title, action, danger: true, body: h("p", {}, text), submit });

async function deleteUser(user) {
  const typed = h("input", { autocomplete: "off", spellcheck: "false", required: true });
  const done = await dialog({
    title: `Delete ${user.username}?`, action: "Delete user", danger: true,
    body: [h("p", {}, "This closes the user's connections and moves pending messages to the dead letters. You cannot undo this."),
      field(`Type the name ${user.username} to confirm`, typed)],
    submit: () => {
      if (typed.value !== user.username) throw new Error("The name does not match.");
      return api.deleteUser(user.userId);
    },
  });
  if (!done) return;
  toast(`${user.username} was deleted`);
  location.hash = "#/users";
}

function actions(user, reload) {
  const act = async (question) => { if (await question()) reload(); };
  const access = user.enabled
    ? button("Disable", () => act(async () => {
      const done = await confirmed(`Disable ${user.username}?`,
        "This closes the user's connections, revokes all tokens and moves pending messages to the dead letters.", "Disable",
        () => api.changeUser(user.userId, { enabled: false }));
      if (done) toast(`${user.username} was disabled`);
      return done;
    }))
    : button("Enable", async () => {
      try {
        await api.changeUser(user.userId, { enabled: true });
        toast(`${user.username} was enabled`);
        reload();
      } catch (error) { toast(error.message, "bad"); }
    });
  return [access,
    button("Sign out everywhere", () => act(async () => {
      const done = await confirmed(`Sign ${user.username} out everywhere?`,
        "This closes the user's connections. Every device must sign in again. Pending messages stay.", "Sign out",
        () => api.signOutUser(user.userId));
      if (done) toast(`${user.username} was signed out`);
      return done;
    })),
    button("Set password", () => act(() => setPassword(user))),
    button("Delete", () => deleteUser(user), { class: "danger" })];
}

const pendingTable = (messages) => table("Pending messages", [
  { title: "Message", main: true, cell: (row) => h("a", { href: `#/messages/${row.messageId}` }, shortId(row.messageId)) },
  { title: "Sequence", number: true, cell: (row) => code(String(row.sequence)) },
  { title: "Size", number: true, cell: (row) => bytes(row.bytes) },
  { title: "Accepted", cell: (row) => time(row.acceptedAt) },
  { title: "Expires", cell: (row) => time(row.expiresAt) },
], messages);

function userFacts(user, totals) {
  const attributes = Object.entries(user.attributes).filter(([name]) => name !== "sub");
  return facts([
    ["User id", code(user.userId)], ["Status", badge(user.status, user.status.toLowerCase().replaceAll("_", " "))],
    ["Access", enabled(user)], ["Created", time(user.createdAt)], ["Changed", time(user.modifiedAt)],
    ["Password set", user.passwordSetAt ? time(user.passwordSetAt) : "none"],
    ["Pending", `${count(totals.messages)} messages, ${bytes(totals.bytes)}`],
    ...attributes.map(([name, value]) => [name, value]),
  ]);
}

export async function user(page, id) {
  async function load() {
    let known = null;
    try {
      known = await api.user(id);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
    // A message's user may be unknown to the pool.
    const userId = known?.userId ?? id;
    const [pending, connections, executions] = await Promise.all([
      api.pending(userId, { limit: 50 }), api.connections({ userId, limit: 50 }), api.executions({ userId, limit: 50 })]);
    return { known, userId, pending, connections, executions };
  }
  async function draw() {
    const { known, userId, pending, connections, executions } = await load();
    const list = pending.messages;
    replace(page, header(known?.username ?? userId, known ? actions(known, draw) : [], button("Refresh", draw)),
      known ? panel("User", userFacts(known, pending.totals))
        : h("p", { class: "notice" }, "The user pool does not have this user. The user may belong to another issuer."),
      panel("Pending", list.length ? pendingTable(list) : empty("No messages on disk."),
        pending.next ? h("p", { class: "hint" }, "Only the oldest 50 are shown.") : null),
      panel("Connections", connections.connections.length ? connectionTable(connections.connections, draw)
        : empty("No open connections.")),
      panel("Recent executions", executions.executions.length ? executionTable(executions.executions, false)
        : empty("No recent executions.")));
  }
  await draw();
}
