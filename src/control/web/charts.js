// Draws small line charts of the last minutes as SVG.
import { h, svg, replace } from "./dom.js";

const kHeight = 132;
const kTop = 10;
const kBottom = 20;
const kLeft = 44;
const kRight = 8;
const kSpanSeconds = 300;

// Returns the next round number: 1, 2 or 5 times a power of ten.
export function ceiling(value, least) {
  const wanted = Math.max(value, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= wanted * 0.999);
}

// series: [{ name, pick: (sample) => number | null, className }]
export function lineChart({ title, series, format, least = 1, whole = false }) {
  const drawing = svg("svg", { class: "chart", role: "img", "aria-label": title, height: kHeight });
  const legend = h("ul", { class: "legend" });
  const values = series.map((line) => {
    const value = h("strong", {}, "–");
    legend.append(h("li", { class: line.className }, h("span", { class: "swatch" }), line.name, " ", value));
    return value;
  });
  const element = h("figure", { class: "panel chart-panel" },
    h("figcaption", {}, h("h2", {}, title), legend), drawing);

  function draw(samples) {
    const width = Math.max(drawing.clientWidth, 200);
    drawing.setAttribute("viewBox", `0 0 ${width} ${kHeight}`);
    const newest = samples.at(-1)?.at ?? 0;
    const picked = series.map((line) => samples.map(line.pick));
    const top = ceiling(Math.max(0, ...picked.flat().filter((value) => value !== null)), least);
    const x = (sample) => kLeft + (width - kLeft - kRight) * (1 - (newest - sample.at) / 1000 / kSpanSeconds);
    const y = (value) => kTop + (kHeight - kTop - kBottom) * (1 - value / top);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = y(top * share);
      parts.push(svg("line", { class: "grid", x1: kLeft, x2: width - kRight, y1: at, y2: at }),
        // Skips fractions on a chart of whole numbers.
        whole && !Number.isInteger(top * share) ? null
          : svg("text", { class: "tick", x: kLeft - 6, y: at + 4, "text-anchor": "end" }, format(top * share)));
    }
    for (const [minutes, anchor] of [[5, "start"], [0, "end"]]) {
      const at = kLeft + (width - kLeft - kRight) * (1 - (minutes * 60) / kSpanSeconds);
      parts.push(svg("text", { class: "tick", x: at, y: kHeight - 4, "text-anchor": anchor },
        minutes === 0 ? "now" : `${minutes} min ago`));
    }
    series.forEach((line, index) => {
      let path = "";
      let open = false;
      samples.forEach((sample, place) => {
        const value = picked[index][place];
        if (value === null || x(sample) < kLeft) { open = false; return; }
        path += `${open ? "L" : "M"}${x(sample).toFixed(1)} ${y(value).toFixed(1)}`;
        open = true;
      });
      if (path) parts.push(svg("path", { class: `line ${line.className}`, d: path }));
      const latest = picked[index].at(-1) ?? null;
      values[index].textContent = latest === null ? "–" : format(latest);
      if (latest !== null) {
        parts.push(svg("circle", { class: `dot ${line.className}`, r: 3, cx: x(samples.at(-1)), cy: y(latest) }));
      }
    });
    replace(drawing, parts.filter(Boolean));
    drawing.setAttribute("aria-label", `${title}, last five minutes: ${series.map((line, index) =>
      `${line.name} ${values[index].textContent}`).join(", ")}`);
  }
  return { element, draw };
}
