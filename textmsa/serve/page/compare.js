// Two clips side by side, in figures and a sentence.

import { MODALITIES, el, signed } from "./dom.js";
import { isScored } from "./panel.js";

export function versus(one, other) {
  const [a, b] = [one.prediction, other.prediction];
  if (!a || !b) return null;
  const gap = b.score - a.score;
  const row = (name, value, told = (any) => (value(any) == null ? "\u2013" : signed(value(any)))) =>
    el("tr", {}, el("th", { scope: "row", text: name }), el("td", { text: told(a) }), el("td", { text: told(b) }), el("td", { text: value(a) == null || value(b) == null ? "" : signed(value(b) - value(a)) }));
  const table = el(
    "table", { class: "versus" },
    el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col", text: one.name || "first", dir: "auto" }), el("th", { scope: "col", text: other.name || "second", dir: "auto" }), el("th", { scope: "col", text: "difference" }))),
    el("tbody", {}, row("Score", (any) => any.score),
      row("Interval", () => null, ({ interval }) => (interval ? `${signed(interval.low)} to ${signed(interval.high)}` : "none")),
      ...MODALITIES.map(([name, people]) => row(`${people} counted`, (any) => (isScored(any, name) ? any.contributions[name] : null)))),
  );
  return el("section", { class: "box" }, el("h2", { text: "Side by side" }), el("p", { text: `${Math.abs(gap) < 0.005 ? "Both score the same" : `The second scores ${Math.abs(gap).toFixed(2)} ${gap > 0 ? "higher" : "lower"}`}${sure(a.interval, b.interval)}` }), table);
}

function sure(a, b) {
  if (!a || !b) return "; how sure that is, is not known.";
  return a.low <= b.high && b.low <= a.high ? "; their intervals overlap, so it may be the other way round." : "; their intervals lie apart.";
}
