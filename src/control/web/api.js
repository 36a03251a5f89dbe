// Calls the console's API and keeps the session.

export class ApiError extends Error {
  constructor(status, code, message, where) {
    super(where && where !== "body" ? `${where}: ${message}` : message);
    this.status = status;
    this.code = code;
  }
}

// Requests after user input keep the session alive; a page's own polling does not.
let lastInput = Date.now();
for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
  addEventListener(kind, () => { lastInput = Date.now(); }, { passive: true, capture: true });
}
const kRecentMs = 60_000;

let onSignedOut = () => {};
export function whenSignedOut(callback) { onSignedOut = callback; }

// The page's half of the session. It stays in this tab and origin, port included; a cookie does not.
const kSecret = "holdfast.session";

async function call(method, path, body, signal) {
  const headers = { "X-Holdfast-Console": Date.now() - lastInput < kRecentMs ? "person" : "background" };
  const secret = sessionStorage.getItem(kSecret);
  if (secret) headers["X-Holdfast-Session"] = secret;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/console/api/${path}`, {
      method, headers, credentials: "same-origin", cache: "no-store", signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "unreachable", "Holdfast does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) onSignedOut();
  const { code, message, where } = answer.error ?? {};
  throw new ApiError(response.status, code ?? "unknown", message ?? `answered ${response.status}`, where);
}

async function signIn(entry) {
  const { session: secret, ...known } = await call("POST", "session", entry);
  sessionStorage.setItem(kSecret, secret);
  return known;
}

export const session = {
  current: () => call("GET", "session"),
  useLink: (link) => signIn({ link }),
  usePassword: (password) => signIn({ password }),
  end: () => call("DELETE", "session").finally(() => sessionStorage.removeItem(kSecret)),
};

const query = (parameters) => {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") text.set(name, value);
  }
  // Encodes plus signs, which a query would turn into blanks.
  const encoded = text.toString().replaceAll("+", "%20");
  return encoded ? `?${encoded}` : "";
};
const id = encodeURIComponent;

export const api = {
  status: (signal) => call("GET", "v1/status", undefined, signal),
  users: (parameters) => call("GET", `v1/users${query(parameters)}`),
  user: (user) => call("GET", `v1/users/${id(user)}`),
  createUser: (body) => call("POST", "v1/users", body),
  changeUser: (user, body) => call("PATCH", `v1/users/${id(user)}`, body),
  deleteUser: (user) => call("DELETE", `v1/users/${id(user)}`),
  signOutUser: (user) => call("POST", `v1/sign-out/${id(user)}`),
  pendingUsers: (parameters) => call("GET", `v1/pending${query(parameters)}`),
  pending: (user, parameters = {}) => call("GET", `v1/pending/${id(user)}${query(parameters)}`),
  executions: (parameters) => call("GET", `v1/executions${query(parameters)}`),
  execution: (message) => call("GET", `v1/executions/${id(message)}`),
  connections: (parameters) => call("GET", `v1/connections${query(parameters)}`),
  closeConnection: (connection) => call("DELETE", `v1/connections/${id(connection)}`),
  deadLetters: (parameters) => call("GET", `v1/dead-letters${query(parameters)}`),
  redrive: (body) => call("POST", "v1/dead-letters/redrive", body),
  deleteDeadLetters: (body) => call("POST", "v1/dead-letters/delete", body),
  accessKeys: () => call("GET", "v1/access-keys"),
  createAccessKey: (body) => call("POST", "v1/access-keys", body),
  changeAccessKey: (key, body) => call("PATCH", `v1/access-keys/${id(key)}`, body),
  deleteAccessKey: (key) => call("DELETE", `v1/access-keys/${id(key)}`),
  sendMessage: (body) => call("POST", "v1/messages", body),
  audit: (parameters) => call("GET", `v1/audit${query(parameters)}`),
};
