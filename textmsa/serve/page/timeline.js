// A page of its own that holds what it shows: a timeline, or a document with clips in it.

import { by, el } from "./dom.js";
import { KEYS, press } from "./player.js";
import { ofExplanation, ofPrediction, ofTimeline } from "./view.js";
import { Viewer } from "./viewer.js";

// What each player is given, a list: { place, address, heard, name, title, timeline | prediction | explained }.
const given = JSON.parse(by("data").textContent);
const viewers = given.map((one) => {
  const view = one.timeline ? ofTimeline(one.timeline) : one.prediction ? ofPrediction(one.prediction, one.name) : ofExplanation(one.explained, null, one.name, one.explained.tracks);
  const viewer = new Viewer(view, one);
  by(one.place).replaceChildren(viewer.element);
  viewer.draw();
  return viewer;
});

let current = viewers[0]; // the one that keys mean
for (const viewer of viewers)
  for (const name of ["pointerdown", "focusin"]) viewer.element.addEventListener(name, () => (current = viewer));

const dialog = el("dialog", { id: "help", "aria-labelledby": "help-title" },
  el("div", { class: "bar" }, el("h2", { id: "help-title", text: "Keys" }), el("button", { type: "button", text: "Close", onclick: () => dialog.close() })),
  el("dl", { id: "keys" }, ...KEYS.flatMap(([keys, what]) => [el("dt", { text: keys }), el("dd", { text: what })])));
document.body.append(dialog);
by("open-help")?.addEventListener("click", () => dialog.showModal());
document.addEventListener("keydown", (event) => press(event, current, () => dialog.showModal()) && event.preventDefault());
