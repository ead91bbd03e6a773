// What is said, to read: the words of a clip, or all utterances of a long file with their scores.

import { el, moment, signed } from "./dom.js";
import { said, tone } from "./tracks.js";

const strongest = (words) => words.reduce((most, word) => Math.max(most, Math.abs(word.change ?? 0)), 1e-9);

// The words in their own direction; each whose time is known is a button that seeks.
export function spoken(words, clock) {
  if (!words.length) return null;
  const most = strongest(words);
  const line = el("p", { class: "spoken", dir: "auto" });
  for (const word of words) {
    const known = word.start !== null;
    line.append(
      el(known ? "button" : "span", {
        type: known && "button", class: `word ${tone(word.change)}`, text: word.text,
        "--force": Math.abs(word.change ?? 0) / most, title: said(word),
        onclick: known && (() => clock.seek(word.start)),
      }),
      " ",
    );
  }
  return line;
}

// What the colours of words say.
export const legend = (after) =>
  el("p", { class: "keys" }, el("span", { class: "word raised", text: "raised", "--force": 1 }), " and ", el("span", { class: "word lowered", text: "lowered", "--force": 1 }), ` the score${after}`);

// All utterances, one under the other; the one that is said is marked.
export class Transcript {
  constructor(view, clock) {
    this.view = view;
    this.clock = clock;
    this.lines = view.utterances.map((one) => this.line(one));
    this.list = el("ol", { class: "lines" }, ...this.lines);
    this.element = el("section", { class: "box" }, el("h2", { text: "What is said" }), view.words.some((word) => word.change != null) ? legend("") : null,
      this.lines.length ? this.list : el("p", { class: "faint", text: view.about.words_from.reason ?? "Nothing is said." }));
    this.now = null;
  }

  line(one) {
    const most = strongest(one.words);
    const text = el("span", { class: "text", dir: "auto" });
    for (const word of one.words)
      text.append(el("span", { class: `word ${tone(word.change)}`, text: word.text.trim(), title: said(word), "--force": Math.abs(word.change ?? 0) / most, onclick: word.start !== null && (() => this.clock.seek(word.start)) }), " ");
    const score = one.prediction ? signed(one.prediction.score) : "not scored";
    return el("li", { class: one.prediction?.polarity ?? "unscored", title: one.failed },
      el("button", { type: "button", class: "when", text: moment(one.start, this.view.duration, 0), "aria-label": `To ${moment(one.start, this.view.duration, 0)}: ${one.text.slice(0, 60)}`, onclick: () => this.clock.seek(one.start + 1e-3) }),
      el("b", { text: score }), text);
  }

  mark(one) {
    if (one === this.now) return;
    for (const [which, on] of [[this.now, false], [one, true]]) {
      const line = which && this.lines[this.view.utterances.indexOf(which)];
      line?.classList.toggle("now", on);
      if (on && line) this.keep(line);
    }
    this.now = one;
  }

  // Scrolls the list, not the page.
  keep(line) {
    const { offsetTop } = line, { scrollTop, clientHeight } = this.list;
    if (offsetTop < scrollTop || offsetTop + line.offsetHeight > scrollTop + clientHeight) this.list.scrollTop = offsetTop - clientHeight / 3;
  }
}
