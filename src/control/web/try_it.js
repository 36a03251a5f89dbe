// Acts as a client of the gateway: signs in, gets a temporary token, connects and shows messages.
import { api } from "./api.js";
import { badge, button, code, duration, field, h, header, panel, replace, shortId } from "./dom.js";

const kEntries = 200;
const kSubprotocol = "holdfast.v1";

async function pool(url, operation, body) {
  let response;
  try {
    response = await fetch(`${url}/`, {
      method: "POST", mode: "cors", credentials: "omit",
      headers: { "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": `AWSCognitoIdentityProviderService.${operation}` },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error(`${url} does not answer this page. Check that this browser can reach it and trusts its certificate.`);
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Error(answer.message ?? answer.Message ?? `The user pool answered ${response.status}`);
}

async function temporaryToken(url, idToken) {
  const response = await fetch(`${url}/tokens`, { mode: "cors", credentials: "omit", headers: { Authorization: idToken } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`No temporary token: ${answer.message ?? response.status}`);
  return answer.token;
}

function claims(idToken) {
  const part = idToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (byte) => byte.charCodeAt(0))));
}

class Trial {
  constructor(gateway, changed, record) {
    this.gateway = gateway;
    this.changed = changed;
    this.record = record;
    this.state = "signed out";
    this.socket = null;
  }
  set(state) {
    this.state = state;
    this.changed();
  }
  async signIn(url, username, password) {
    this.url = url;
    this.username = username;
    const answer = await pool(url, "InitiateAuth", { AuthFlow: "USER_PASSWORD_AUTH", ClientId: this.gateway.clientId,
      AuthParameters: { USERNAME: username, PASSWORD: password } });
    this.take(answer);
  }
  async newPassword(password) {
    this.take(await pool(this.url, "RespondToAuthChallenge", { ChallengeName: "NEW_PASSWORD_REQUIRED",
      ClientId: this.gateway.clientId, Session: this.challenge.Session,
      ChallengeResponses: { USERNAME: this.challenge.ChallengeParameters?.USER_ID_FOR_SRP ?? this.username, NEW_PASSWORD: password } }));
  }
  take(answer) {
    if (answer.ChallengeName === "NEW_PASSWORD_REQUIRED") {
      this.challenge = answer;
      return this.set("new password");
    }
    if (!answer.AuthenticationResult) throw new Error(`This page does not support the challenge ${answer.ChallengeName}.`);
    this.challenge = null;
    this.idToken = answer.AuthenticationResult.IdToken;
    this.userId = claims(this.idToken).sub;
    this.record("info", "signed in", `as ${this.username}`);
    this.set("signed in");
  }
  async connect(subprotocol) {
    this.set("connecting");
    try {
      const token = await temporaryToken(this.url, this.idToken);
      if (this.left) return;
      const target = `${this.url.replace(/^http/, "ws")}/ws?token=${encodeURIComponent(token)}`;
      this.socket = subprotocol ? new WebSocket(target, subprotocol) : new WebSocket(target);
    } catch (error) {
      this.set("signed in");
      throw error;
    }
    const socket = this.socket;
    socket.addEventListener("open", () => {
      this.record("info", "connected", subprotocol ? `subprotocol ${subprotocol}` : "no subprotocol");
      this.set("connected");
    });
    socket.addEventListener("message", (event) => this.receive(socket, event.data));
    socket.addEventListener("close", (event) => {
      this.record(event.code === 1000 || event.code === 1005 ? "info" : "bad", "closed",
        `code ${event.code}${event.reason ? `, ${event.reason}` : ""}`);
      if (this.socket === socket) this.socket = null;
      if (this.state === "connected" || this.state === "connecting") this.set("signed in");
    });
  }
  receive(socket, text) {
    let frame = null;
    try { frame = JSON.parse(text); } catch { /* the raw form is any text */ }
    if (socket.protocol === kSubprotocol && frame?.type === "message") {
      socket.send(JSON.stringify({ type: "ack", sequence: frame.sequence }));
      return this.record("in", frame.payload, `sequence ${frame.sequence}, acknowledged`, frame.messageId);
    }
    this.record("in", typeof frame?.Payload === "string" ? frame.Payload : text, "");
  }
  disconnect() {
    this.socket?.close(1000);
  }
  leave() {
    this.left = true;  // late answers must not connect
    this.disconnect();
  }
  signOut() {
    this.disconnect();
    this.idToken = this.userId = this.challenge = null;
    this.set("signed out");
  }
}

function journal() {
  const list = h("ol", { class: "journal", "aria-live": "polite", "aria-label": "Log", tabindex: "0" });
  const record = (kind, text, note, messageId) => {
    const at = new Date();
    const place = h("span", { class: "note" });
    const tell = (words, id) => replace(place, words, id ? [" ", h("a", { href: `#/messages/${id}` }, shortId(id))] : null);
    list.append(h("li", { class: kind }, h("time", { datetime: at.toISOString() }, at.toTimeString().slice(0, 8)),
      h("span", { class: "what" }, kind === "in" ? "received" : kind === "out" ? "sent" : ""),
      h("span", { class: "text" }, text), place));
    tell(note, messageId);
    while (list.children.length > kEntries) list.firstChild.remove();
    list.scrollTop = list.scrollHeight;
    return tell;
  };
  return { list, record };
}

export function tryIt(page, { gateway }) {
  const { list, record } = journal();
  const place = h("div", {});
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const trial = new Trial(gateway, () => draw(), record);

  async function attempt(work) {
    problem.hidden = true;
    try {
      await work();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  }
  const form = (submit, ...children) => h("form", { class: "stack", onsubmit: (event) => {
    event.preventDefault();
    attempt(submit);
  } }, children);

  function signInForm() {
    const url = h("select", {}, gateway.urls.map((value) => h("option", { value }, value)));
    const name = h("input", { required: true, autocomplete: "off", spellcheck: "false" });
    const password = h("input", { type: "password", required: true, autocomplete: "off" });
    return form(() => trial.signIn(url.value, name.value, password.value),
      field("Gateway", url), field("User name", name), field("Password", password),
      h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Sign in")));
  }
  function newPasswordForm() {
    const password = h("input", { type: "password", required: true, minlength: 8, autocomplete: "off" });
    return form(() => trial.newPassword(password.value), h("p", {}, `The password of ${trial.username} is temporary. Choose a new one.`),
      field("New password", password),
      h("div", { class: "actions" }, button("Cancel", () => trial.signOut()), h("button", { type: "submit", class: "primary" }, "Set password and sign in")));
  }
  function connectionForm() {
    const connected = trial.state === "connected";
    const busy = trial.state === "connecting";
    const protocol = h("select", { disabled: connected || busy }, h("option", { value: "" }, "none: acknowledged by Pong"),
      h("option", { value: kSubprotocol }, `${kSubprotocol}: acknowledged by this page`));
    protocol.value = trial.subprotocol ?? "";
    return form(() => { trial.subprotocol = protocol.value; return trial.connect(protocol.value); },
      h("p", { class: "state-line" }, badge(connected ? "ready" : "starting", connected ? "connected" : busy ? "connecting" : "not connected"),
        h("a", { href: `#/users/${encodeURIComponent(trial.userId)}` }, trial.username), code(trial.userId)),
      field("Subprotocol", protocol),
      h("div", { class: "actions" },
        connected ? button("Disconnect", () => trial.disconnect()) : h("button", { type: "submit", class: "primary", disabled: busy }, "Connect"),
        button("Sign out", () => trial.signOut())));
  }
  function sendForm() {
    const text = h("textarea", { rows: 3, required: true, maxlength: 100000 });
    return form(async () => {
      const started = performance.now();
      const tell = record("out", text.value, "sending");
      try {
        const receipt = await api.sendMessage({ userId: trial.userId, message: text.value });
        tell(`${receipt.status} in ${duration((performance.now() - started) / 1000)}`, receipt.messageId);
        text.value = "";
      } catch (error) {
        tell("not accepted");
        throw error;
      }
    }, field("Message", text, "Sent as the operator, and delivered like a service's message. To see it stored, disconnect first."),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Send")));
  }

  let sending = null;
  let drawn = null;
  function draw() {
    const { state } = trial;
    if (state === drawn) return;
    const focus = place.contains(document.activeElement);
    drawn = state;
    if (state === "signed out") {
      sending = null;
      replace(place, panel("1. Sign in as a user", signInForm(), problem));
    } else if (state === "new password") {
      replace(place, panel("New password", newPasswordForm(), problem));
    } else {
      sending ??= panel("3. Send", sendForm());
      replace(place, h("div", { class: "panels" }, panel("2. Connect", connectionForm(), problem), sending));
    }
    problem.hidden = true;
    if (focus) place.querySelector("input, button.primary:not(:disabled), button:not(:disabled)")?.focus();
  }
  page.append(header("Try it"),
    h("p", { class: "lead" }, "This page becomes a client of the gateway: it signs in as a user, connects a WebSocket, and shows what that user receives."),
    place, panel("Log", list));
  draw();
  return () => trial.leave();
}
