// The frame around every page: sign-in, menu and routes.
import { button, h, header, replace, toast } from "./dom.js";
import { session, whenSignedOut } from "./api.js";
import { startLive, stopLive } from "./live.js";
import { overview } from "./overview.js";
import { user, users } from "./users.js";
import { message, messages } from "./messages.js";
import { connections } from "./connections.js";
import { deadLetters } from "./dead_letters.js";
import { accessKeys } from "./access_keys.js";
import { audit } from "./audit.js";
import { tryIt } from "./try_it.js";

const PAGES = [
  { path: "overview", title: "Overview", show: overview },
  { path: "users", title: "Users", show: users, one: user },
  { path: "messages", title: "Messages", show: messages, one: message },
  { path: "connections", title: "Connections", show: connections },
  { path: "dead-letters", title: "Dead letters", show: deadLetters },
  { path: "access-keys", title: "Access keys", show: accessKeys },
  { path: "audit", title: "Audit", show: audit },
  { path: "try-it", title: "Try it", show: tryIt },
];

const app = document.getElementById("app");
let known = null;  // what the session's answer told
let main = null;
let leave = null;

const brand = () => h("a", { class: "brand", href: "#/overview" },
  h("img", { src: "icon.svg", alt: "", width: 26, height: 26 }), h("span", {}, "Holdfast"));

function themeButton() {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => (dark() ? "Light theme" : "Dark theme");
  const toggle = button(label(), () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("holdfast.theme", root.dataset.theme);
    toggle.textContent = label();
  }, { class: "quiet-button" });
  return toggle;
}

// ---- signed out

function entrance(problem) {
  stopLive();
  leavePage();
  main = null;
  const notice = h("p", { class: "problem", role: "alert", hidden: !problem }, problem ?? "");
  const command = h("p", {}, "Run ", h("code", {}, "holdfast console"),
    " on the gateway's machine. It prints a link that signs in one browser, once, within a minute.");
  const password = h("input", { type: "password", autocomplete: "current-password", required: true, "aria-label": "Password" });
  const form = h("form", { class: "stack", onsubmit: async (event) => {
    event.preventDefault();
    try {
      known = await session.usePassword(password.value);
      enter();
    } catch (error) {
      notice.textContent = error.message;
      notice.hidden = false;
      password.select();
    }
  } }, h("p", { class: "or" }, "or, with the console's password:"), password,
  h("button", { type: "submit", class: "primary" }, "Sign in"));
  app.className = "entrance";
  replace(app, h("main", { class: "card", id: "main", tabindex: "-1" }, brand(), h("h1", {}, "Sign in to the console"), notice, command,
    known?.passwordAllowed ? form : null, h("div", { class: "card-foot" }, themeButton())));
  document.title = "Sign in – Holdfast console";
}

async function signOut() {
  await session.end().catch(() => {});
  known = { ...known, signedIn: false };
  entrance();
}

// ---- signed in

function frame() {
  main = h("main", { id: "main", tabindex: "-1" });
  const links = h("ul", {}, PAGES.map((page) => h("li", {}, h("a", { href: `#/${page.path}` }, page.title))));
  const menu = button("Menu", () => {
    const open = menu.getAttribute("aria-expanded") !== "true";
    menu.setAttribute("aria-expanded", String(open));
    side.classList.toggle("open", open);
  }, { class: "menu-button", "aria-expanded": "false", "aria-controls": "menu" });
  const side = h("header", { class: "side" }, h("div", { class: "side-inner" }, h("div", { class: "side-top" }, brand(), menu),
    h("div", { class: "menu", id: "menu" }, h("nav", { "aria-label": "Pages" }, links),
      h("div", { class: "side-foot" }, themeButton(), button("Sign out", signOut, { class: "quiet-button" })))));
  links.addEventListener("click", () => {
    side.classList.remove("open");
    menu.setAttribute("aria-expanded", "false");
  });
  app.className = "app";
  replace(app, side, main);
}

function leavePage() {
  leave?.();
  leave = null;
}

async function route(event) {
  if (!main) return;
  const [path = "overview", id] = location.hash.replace(/^#\/?/, "").split("/");
  const page = PAGES.find((candidate) => candidate.path === path) ?? PAGES[0];
  leavePage();
  // Each page has its own element, so that a late answer does not reach the next page.
  const element = h("div", { class: "page" });
  main.replaceChildren(element);
  for (const link of app.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === `#/${page.path}`;
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${page.title} – Holdfast console`;
  scrollTo(0, 0);
  try {
    const left = page.one && id ? await page.one(element, decodeURIComponent(id)) : page.show(element, known);
    if (element.isConnected && typeof left === "function") leave = left;
  } catch (error) {
    replace(element, header(page.title), h("p", { class: "problem", role: "alert" }, error.message));
  }
  // Moves the focus to the title, so that screen readers say it after a choice in the menu.
  if (event && element.isConnected) element.querySelector("h1")?.focus({ preventScroll: true });
}

function enter() {
  frame();
  startLive();
  route();
}

whenSignedOut(() => {
  if (!main) return;
  known = { ...known, signedIn: false };
  entrance("The session has ended. Sign in again.");
});
addEventListener("hashchange", (event) => {
  if (location.hash.startsWith("#link=")) return void start();
  route(event);
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();  // the address names the page
  document.getElementById("main")?.focus();
});

async function start() {
  const link = /^#link=([\w-]+)$/.exec(location.hash)?.[1];
  // Removes the secret from the address and the history before anything else.
  if (location.hash.startsWith("#link=")) history.replaceState(null, "", location.pathname);
  let problem;
  try {
    if (link) {
      try {
        known = await session.useLink(link);
      } catch (error) {
        problem = error.status === 403 ? "This link has been used or has expired. Run `holdfast console` again." : error.message;
      }
    }
    if (!known?.signedIn) known = await session.current();
  } catch (error) {
    problem = error.message;
  }
  if (!known?.signedIn) return entrance(problem);
  enter();
  if (problem) toast(problem, "bad");
}

start();
