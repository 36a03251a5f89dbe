import { api } from "./api.js";
import { badge, button, code, copyable, count, dialog, field, h, header, reveal, table, time, toast } from "./dom.js";
import { pagedList } from "./list.js";

const kSendOnly = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "execute-api:Invoke", Resource: "*" }] };

const hasExpired = (key) => key.expiresAt !== null && new Date(key.expiresAt) <= new Date();
const state = (key) => (!key.enabled ? "disabled" : hasExpired(key) ? "expired" : "enabled");

const limitWords = (value) => (value === null ? "default" : value === 0 ? "unlimited" : `${count(value)}/s`);

function policyField(policy) {
  const text = h("textarea", { rows: 12, spellcheck: "false", class: "mono", value: JSON.stringify(policy, null, 2), required: true });
  return { element: field("Policy", text, "An IAM policy document, in JSON"), read: () => {
    try {
      return JSON.parse(text.value);
    } catch (error) {
      throw new Error(`The policy is not valid JSON: ${error.message}`);
    }
  } };
}

async function create(list) {
  const name = h("input", { required: true, maxlength: 64, autocomplete: "off", spellcheck: "false" });
  const policy = policyField(kSendOnly);
  const limit = h("input", { type: "number", min: 0, step: 1, placeholder: "default" });
  const days = h("input", { type: "number", min: 1, max: 3650, step: 1, placeholder: "never" });
  const made = await dialog({
    title: "New access key", action: "Create",
    body: [field("Name", name), policy.element, field("Requests per second", limit, "0 means unlimited; leave empty to use the configured default"),
      field("Expires after days", days, "Leave empty for a key that never expires")],
    submit: () => api.createAccessKey({ name: name.value, policy: policy.read(),
      ...(limit.value !== "" && { requestsPerSecond: Number(limit.value) }),
      ...(days.value !== "" && { expiresInSeconds: Number(days.value) * 86400 }) }),
  });
  if (!made) return;
  list.refresh();
  await reveal(`Access key ${made.name}`, h("p", {}, "The secret is shown only once. Store it where your service can read it."),
    copyable("Access key id", made.id), copyable("Secret access key", made.secret));
}

async function edit(key, list) {
  const policy = policyField(key.policy);
  const done = await dialog({ title: `Policy of ${key.name}`, action: "Save",
    body: [h("p", { class: "hint break" }, key.arn), policy.element],
    submit: () => api.changeAccessKey(key.id, { policy: policy.read() }) });
  if (!done) return;
  toast("The policy was saved");
  list.refresh();
}

async function toggle(key, list) {
  if (key.enabled) {
    const done = await dialog({ title: `Disable ${key.name}?`, action: "Disable", danger: true,
      body: h("p", {}, "Requests signed with this key will be refused."),
      submit: () => api.changeAccessKey(key.id, { enabled: false }) });
    if (!done) return;
  } else {
    try {
      await api.changeAccessKey(key.id, { enabled: true });
    } catch (error) { return toast(error.message, "bad"); }
  }
  toast(`${key.name} was ${key.enabled ? "disabled" : "enabled"}`);
  list.refresh();
}

async function remove(key, list) {
  const typed = h("input", { autocomplete: "off", spellcheck: "false", required: true });
  const done = await dialog({ title: `Delete ${key.name}?`, action: "Delete key", danger: true,
    body: [h("p", {}, "Requests signed with this key will be refused. You cannot undo this."),
      field(`Type the name ${key.name} to confirm`, typed)],
    submit: () => {
      if (typed.value !== key.name) throw new Error("The name does not match.");
      return api.deleteAccessKey(key.id);
    } });
  if (!done) return;
  toast(`${key.name} was deleted`);
  list.refresh();
}

export function accessKeys(page) {
  const list = pagedList({
    label: "access keys", none: "No access keys.",
    load: async () => ({ rows: (await api.accessKeys()).accessKeys }),
    show: (rows) => table("Access keys", [
      { title: "Name", main: true, class: "break", cell: (key) => h("span", { title: key.arn }, key.name) },
      { title: "Access key id", cell: (key) => code(key.id) },
      { title: "State", cell: (key) => badge(state(key) === "expired" ? "disabled" : state(key), state(key)) },
      { title: "Rate limit", number: true, class: "nowrap", cell: (key) => limitWords(key.requestsPerSecond) },
      { title: "Created", cell: (key) => time(key.createdAt) },
      { title: "Expires", cell: (key) => time(key.expiresAt) },
      { title: "", class: "row-actions", cell: (key) => [
        button("Policy", () => edit(key, list), { "aria-label": `Policy of ${key.name}` }),
        button(key.enabled ? "Disable" : "Enable", () => toggle(key, list), { "aria-label": `${key.enabled ? "Disable" : "Enable"} ${key.name}` }),
        button("Delete", () => remove(key, list), { class: "danger", "aria-label": `Delete ${key.name}` })] },
    ], rows),
  });
  page.append(header("Access keys", button("New access key", () => create(list), { class: "primary" })),
    h("p", { class: "lead" }, "Back-end services sign their requests with these keys (AWS Signature Version 4)."), list.element);
}
