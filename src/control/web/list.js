// A list in pages. Each answer names the place where the next page begins.
import { button, empty, h, replace } from "./dom.js";

// load(after) → { rows, next }; show(rows) → element; `none` is the text without rows.
export function pagedList({ label, load, show, none }) {
  let befores = [];
  let after = null;
  let next = null;
  let asked = 0;
  const place = h("div", { "aria-busy": "true" });
  const said = h("p", { class: "hidden", role: "status" });
  const previous = button("Previous", () => { after = befores.pop() ?? null; return refresh(); });
  const following = button("Next", () => { befores.push(after); after = next; return refresh(); });
  const pager = h("nav", { class: "pager", "aria-label": `Pages of ${label}`, hidden: true }, previous, following);
  const element = h("div", { class: "list" }, place, pager, said);

  async function refresh() {
    const mine = ++asked;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await load(after);
      if (mine !== asked) return;  // a later question has overtaken this one
      next = answer.next ?? null;
      replace(place, answer.rows.length ? show(answer.rows) : empty(befores.length ? "No more rows." : none));
      said.textContent = answer.rows.length ? `${answer.rows.length} shown` : none;
    } catch (error) {
      if (mine !== asked) return;
      next = null;
      replace(place, h("p", { class: "problem", role: "alert" }, error.message));
    }
    place.removeAttribute("aria-busy");
    previous.disabled = befores.length === 0;
    following.disabled = next === null;
    pager.hidden = befores.length === 0 && next === null;
  }
  function restart() {
    befores = [];
    after = null;
    return refresh();
  }
  refresh();
  return { element, refresh, restart };
}
