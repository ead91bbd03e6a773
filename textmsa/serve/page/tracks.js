// What happens over the clip, in rows that share the clock: a click seeks, pointing reads every row, dragging sums up a
// part. Of a long clip a part is shown, larger.

import WaveSurfer from "./vendor/wavesurfer.esm.js";
import { MODALITIES, colour, dark, el, moment, seconds, signed } from "./dom.js";
import * as lanes from "./lanes.js";
import { Span } from "./span.js";
import { summary } from "./summary.js";
import { momentAt, runs, utteranceAt, wordAt } from "./view.js";

const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
const DASHES = [[], [6, 4], [2, 3]];
const STROKES = ["solid", "dashed", "dotted"]; // the same, below a name
const DRAG = 6; // pixels that a finger moves before it draws a window
const WAVE = 56;
const nonce = document.querySelector("meta[name=style-nonce]")?.content;

export class Tracks {
  constructor(clock, view) {
    this.clock = clock;
    this.view = view;
    this.span = new Span(view.duration);
    this.window = null; // [from, to] that is summed up
    this.rows = []; // { name, lane | plot | wave }, from top to bottom
    this.cells = new Map(); // name -> dd of the readout
    this.area = el("div", { class: "rows" });
    this.head = el("div", { class: "line head" });
    this.finger = el("div", { class: "line finger", hidden: true });
    this.chosen = el("div", { class: "chosen", hidden: true });
    this.readout = el("dl", { class: "readout" });
    this.sum = el("p", { class: "sum", role: "status" });
    this.inner = el("div");
    this.scroller = el("div", { class: "scroller", tabindex: 0, role: "group", "aria-label": "Part of the clip that is shown", hidden: true }, this.inner);
    this.element = el("div", { class: "tracks" }, this.tools(), this.area, this.scroller, this.sum, this.readout);
    this.observer = new ResizeObserver(() => this.later());
    this.recolours = () => this.recolour();
  }

  // Draws everything; the element must be in the page, since widths count.
  draw() {
    this.painted("", "", lanes.ruler(this.view.duration));
    this.waveform();
    if (this.view.words.some((word) => word.start !== null)) this.painted("Words", "", lanes.words(this.view.words));
    if (this.view.about) this.painted("Utterances", `${this.view.utterances.length}`, lanes.utterances(this.view));
    this.sentiment();
    this.counted();
    this.pitch();
    this.face();
    this.area.append(el("div", { class: "over", "aria-hidden": "true" }, this.chosen, this.head, this.finger));
    this.listen();
    this.observer.observe(this.area);
    dark.addEventListener("change", this.recolours);
    this.render();
    this.update();
  }

  row(name, note, content, kind = "") {
    const row = el(
      "div", { class: `row-of ${kind}`, role: name ? "group" : null, "aria-label": name || null },
      el("div", { class: "label" }, el("span", { text: name }), note ? el("small", { text: note }) : null),
      content,
    );
    this.area.append(row);
    return row;
  }

  painted(name, note, lane) {
    this.row(name, note, lane.element);
    this.rows.push({ name, height: lane.height, lane });
  }

  waveform() {
    const { peaks, peaksPerSecond, duration } = this.view;
    if (!peaks.length) return;
    const place = el("div", { class: "lane wave", role: "img", "aria-label": this.describe("loudness") });
    this.row("Sound", "", place);
    const filled = peaks.slice(0, Math.ceil(duration * peaksPerSecond));
    while (filled.length < duration * peaksPerSecond) filled.push(0);
    this.wave = WaveSurfer.create({
      container: place, media: this.clock.video, peaks: [filled], duration, height: WAVE, fillParent: true,
      waveColor: colour("--wave"), progressColor: colour("--accent"), cursorWidth: 0, interact: false, normalize: true,
      hideScrollbar: true, autoScroll: false, autoCenter: false, cspNonce: nonce, barWidth: 2, barGap: 1, barRadius: 1,
    });
    this.rows.push({ name: "Sound", height: WAVE, wave: place });
  }

  series(name) {
    return this.view.series.find((series) => series.name === name);
  }

  describe(name) {
    const { values = [], unit = "" } = this.series(name) ?? {};
    const known = values.filter((value) => value !== null);
    if (!known.length) return `${name}: nothing measured`;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const figure = (value) => value.toFixed(unit === "0 to 1" || !unit ? 2 : 0);
    const [low, high] = ends(known);
    return `${name} from ${figure(low)} to ${figure(high)} ${unit}, mean ${figure(mean)}`;
  }

  sentiment() {
    const { range, utterances, prediction } = this.view;
    const scored = utterances.filter((one) => one.prediction);
    if (!scored.length) return;
    const told = scored.length > 12 ? `${scored.length} scores, from ${signed(ends(scored.map((one) => one.prediction.score))[0])} to ${signed(ends(scored.map((one) => one.prediction.score))[1])}`
      : scored.map((one) => `${moment(one.start, this.view.duration)} ${signed(one.prediction.score)}`).join(", ");
    const { interval } = scored[0].prediction;
    const note = `${range[0]} to +${range[1]}${interval ? `, ${Math.round(interval.level * 100)} % band` : ""}`.replace("-", "\u2212");
    this.painted("Sentiment", prediction ? `whole clip, ${note}` : note, lanes.sentiment(this.view, `Sentiment over time: ${told}`));
  }

  // What each moment, or utterance, adds, stacked.
  counted() {
    const { moments, about } = this.view;
    if (!moments.length) return;
    const most = lanes.tallest(moments);
    const told = moments.length > 12 ? `${moments.length} parts, at most ${most.toFixed(2)}` : moments.map((part) => `${seconds(part.start)} ${signed(total(part))}`).join(", ");
    this.painted("What counted", `\u00B1${most.toFixed(2)}${about ? "" : " by moments"}`, lanes.stacked(moments, most, `Contributions over time: ${told}`));
    const names = MODALITIES.filter(([name]) => moments.some((part) => part.change[name]));
    this.row("", "", el("div", { class: "lane legend" }, ...names.map(([name, people]) => el("span", {}, el("i", { class: name }), people))), "bare");
  }

  // `lines`: lists of values, one for each tenth of a second.
  plot(name, note, height, series, lines, range, label) {
    const coarse = new Map(); // how many tenths become one -> what is drawn
    const data = (size) => {
      if (!coarse.has(size)) coarse.set(size, [this.times(Math.ceil(lines[0].length / size), size), ...lines.map((values) => means(values, size))]);
      return coarse.get(size);
    };
    const place = el("div", { class: "lane plot", role: "img", "aria-label": label });
    this.row(name, note, place);
    const make = () => {
      place.replaceChildren();
      return new window.uPlot(
        {
          width: Math.max(place.clientWidth, 50), height, padding: [4, 0, 4, 0], legend: { show: false }, cursor: { show: false },
          scales: { x: { time: false, range: () => [this.span.from, this.span.to] }, y: { range } },
          axes: [{ show: false }, { show: false }],
          series: [{}, ...series()],
        },
        data(this.size()), place,
      );
    };
    const entry = { name, height, place, make, data, size: this.size(), plot: make() };
    this.rows.push(entry);
    return entry;
  }

  times(count, size) {
    return Array.from({ length: count }, (_, i) => ((i + 0.5) * size) / this.view.hz);
  }

  // How many tenths become one value: from afar more values than pixels would only be a blot.
  size() {
    const width = this.area.querySelector(".lane")?.clientWidth || 600;
    return 2 ** Math.max(0, Math.round(Math.log2((2 * this.span.wide * this.view.hz) / width)));
  }

  pitch() {
    const pitch = this.series("pitch");
    const known = pitch?.values.filter((value) => value !== null) ?? [];
    if (!known.length) return;
    const [low, high] = ends(known);
    const points = { show: (_, __, from, to) => to - from < 400, size: 4, fill: colour("--audio") };
    this.plot(
      "Pitch", `${low.toFixed(0)}\u2013${high.toFixed(0)} Hz`, 52,
      () => [{ stroke: colour("--audio"), width: 2, spanGaps: false, points }],
      [pitch.values], () => [low * 0.95, high * 1.05], this.describe("pitch"),
    );
  }

  face() {
    const { face, hz } = this.view;
    if (face) {
      const looked = face.filter((one) => one !== null);
      const share = `${Math.round((looked.filter(Boolean).length / looked.length) * 100)} %`;
      const [note, label] = looked.length ? [share, `A face is seen in ${share} of the clip`] : ["no pictures", "There are no pictures"];
      this.painted("Face seen", note, lanes.presence(runs(face), hz, label));
    }
    const groups = new Map();
    for (const series of this.view.series.filter((one) => one.of === "face")) {
      const name = series.group ?? (/^AU\d/i.test(series.name) ? "Action units" : /^expression_/.test(series.name) ? "Expressions" : "Face moves");
      groups.set(name, [...(groups.get(name) ?? []), series]);
    }
    for (const [name, group] of groups) this.group(name, group);
  }

  // Lines of one kind, each of which can be put away.
  group(name, group) {
    const known = group.every((series) => series.unit === "0 to 1");
    const scaled = group.map((series) => (known ? series.values : unit(series.values)));
    const hidden = new Set();
    const entry = this.plot(
      name, known ? "0\u20131" : "each 0\u20131", 96,
      () => group.map((_, i) => ({ stroke: colour(COLOURS[i % 6]), dash: DASHES[Math.floor(i / 6) % 3], width: 2, show: !hidden.has(i), points: { show: false } })),
      scaled, () => [-0.02, 1.02], group.map((series) => this.describe(series.name)).join("; "),
    );
    const show = (i, on) => {
      on ? hidden.delete(i) : hidden.add(i);
      entry.plot.setSeries(i + 1, { show: on });
    };
    const boxes = group.map((series, i) =>
      el("label", { class: "key", "--key": `var(${COLOURS[i % 6]})`, "--stroke": STROKES[Math.floor(i / 6) % 3] },
        el("input", { type: "checkbox", checked: true, onchange: (event) => show(i, event.target.checked) }), series.name.replace(/^expression_/, "")));
    const every = (on) => boxes.forEach((box, i) => { box.firstChild.checked = on; show(i, on); });
    const button = (text, on) => el("button", { type: "button", class: "small", text, "aria-label": `${name}: ${text}`, onclick: () => every(on) });
    this.row("", "", el("div", { class: "lane choice", role: "group", "aria-label": `${name} shown` }, ...boxes, button("all", true), button("none", false)), "bare");
    entry.legend = group.map((series, i) => [series.name, COLOURS[i % 6]]);
  }

  tools() {
    const button = (text, label, onclick) => el("button", { type: "button", class: "small", text, "aria-label": label, title: label, onclick });
    this.whole = button("Whole", "Show the whole clip", () => this.span.show(0, this.view.duration));
    this.offers = el("span", { class: "row", hidden: true },
      button("Show it alone", "Show the window alone", () => this.span.show(...this.window)),
      button("Clear", "Clear the window", () => this.choose(null)));
    this.hint = el("span", { class: "faint", text: "Drag over the tracks, or press [ and ], to sum up a part." });
    return el("div", { class: "tools" },
      el("div", { class: "row" }, button("\u2212", "Show more of the clip", () => this.zoom(2)), button("+", "Show less, larger", () => this.zoom(0.5)), this.whole, this.offers, this.hint));
  }

  zoom(factor) {
    const { now } = this.clock;
    this.span.zoom(factor, now >= this.span.from && now <= this.span.to ? now : undefined);
  }

  // A window to be summed up, or none.
  choose(window_) {
    this.window = window_ && window_[1] > window_[0] ? window_ : null;
    this.offers.hidden = this.window === null;
    this.hint.hidden = this.window !== null;
    this.sum.textContent = this.window ? summary(this.view, ...this.window) : "";
    this.mark();
  }

  listen() {
    let begun = null; // { at, x, moved } of a finger or mouse that is down
    const lane = this.area.querySelector(".lane");
    const time = (event) => {
      const place = lane.getBoundingClientRect();
      const share = (event.clientX - place.left) / place.width;
      return share < 0 || share > 1 ? null : this.span.from + share * this.span.wide;
    };
    this.area.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest(".label, .choice") || time(event) === null) return;
      begun = { at: time(event), x: event.clientX, moved: false };
    });
    this.area.addEventListener("pointermove", (event) => {
      const here = time(event);
      this.clock.point(here);
      if (!begun || here === null) return;
      if (!begun.moved && Math.abs(event.clientX - begun.x) > DRAG) {
        begun.moved = true;
        this.area.setPointerCapture(event.pointerId); // the window is drawn on where the finger strays from the rows
      }
      if (begun.moved) this.choose([Math.min(begun.at, here), Math.max(begun.at, here)]);
    });
    const up = () => setTimeout(() => (begun = null)); // after the click that may follow
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, up, { signal: (this.gone = this.gone ?? new AbortController()).signal });
    this.area.addEventListener("pointerleave", () => this.clock.point(null));
    this.area.addEventListener("click", (event) => {
      const here = time(event);
      if (begun?.moved || event.target.closest(".label, .choice") || here === null) return;
      const one = event.target.closest(".utterances") ? utteranceAt(this.view, here) : null;
      this.clock.seek(one ? one.start + 1e-3 : here);
    });
    this.area.addEventListener("wheel", (event) => {
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) this.span.zoom(event.deltaY > 0 ? 1.25 : 0.8, time(event) ?? undefined);
      else if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) this.span.pan((sideways / lane.clientWidth) * this.span.wide);
      else return;
      event.preventDefault();
    }, { passive: false });
    this.scroller.addEventListener("scroll", () => {
      if (this.scroller.hidden || Math.abs(this.scroller.scrollLeft - this.scrolled) < 1) return;
      this.scrolled = this.scroller.scrollLeft;
      const from = (this.scrolled / this.inner.offsetWidth) * this.view.duration;
      this.span.show(from, from + this.span.wide);
      this.followed = this.span.from; // the bar leads: it may have gone on when this is drawn, and is not set back
    });
    this.span.addEventListener("change", () => this.later());
    this.clock.addEventListener("time", () => {
      if (this.clock.playing || this.clock.jumped) this.span.reveal(this.clock.now);
      this.update();
    });
    this.clock.addEventListener("hover", () => this.update());
  }

  // Drawn once before the next picture, however often it is asked for.
  later() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = null;
      this.render();
    });
  }

  render() {
    const width = this.area.querySelector(".lane")?.clientWidth ?? 0;
    if (!width) return;
    for (const row of this.rows) {
      if (row.lane) row.lane.draw(this.span);
      if (row.plot) this.replot(row);
    }
    this.stretch(width);
    this.mark();
  }

  replot(row) {
    const { plot, place, height, data } = row, size = this.size();
    if (row.size !== size) plot.setData(data((row.size = size)), false);
    if (Math.abs(plot.width - place.clientWidth) > 1) plot.setSize({ width: Math.max(place.clientWidth, 50), height });
    plot.setScale("x", { min: this.span.from, max: this.span.to });
  }

  // The sound and the scroll bar follow the part that is shown.
  stretch(width) {
    const perSecond = width / this.span.wide, wide = Math.round(perSecond * this.view.duration);
    const led = this.followed === this.span.from && this.perSecond === perSecond;
    if (this.wave && Math.abs((this.perSecond ?? width / this.view.duration) - perSecond) > 1e-9) this.wave.zoom(this.span.whole ? 0 : perSecond);
    this.perSecond = perSecond;
    this.wave?.setScroll(this.span.from * perSecond);
    this.scroller.hidden = this.span.whole;
    this.whole.disabled = this.span.whole;
    this.inner.style.width = `${wide}px`;
    const left = Math.round(this.span.from * perSecond);
    if (!led && !this.scroller.hidden && Math.abs(this.scroller.scrollLeft - left) > 1) {
      this.scroller.scrollLeft = left;
      this.scrolled = this.scroller.scrollLeft;
    }
  }

  mark() {
    const put = (line, time) => {
      line.style.setProperty("--at", this.span.share(time ?? 0));
      line.hidden = time === null || time < this.span.from || time > this.span.to;
    };
    put(this.head, this.clock.now);
    put(this.finger, this.clock.pointed);
    const [from, to] = this.window ?? [0, 0];
    const left = Math.max(0, this.span.share(from)), right = Math.min(1, this.span.share(to));
    this.chosen.hidden = !this.window || right <= left;
    this.chosen.style.setProperty("--at", left);
    this.chosen.style.setProperty("--wide", Math.max(0, right - left));
  }

  update() {
    this.mark();
    const told = this.at(this.clock.pointed ?? this.clock.now);
    for (const [name, value] of told) {
      if (!this.cells.has(name)) {
        const cell = el("dd", { dir: "auto" });
        this.cells.set(name, cell);
        this.readout.append(el("div", {}, el("dt", { text: name }), cell));
      }
      if (this.cells.get(name).textContent !== value) this.cells.get(name).textContent = value;
    }
  }

  // Everything that is known of a moment: [name, value in words]; the same names at every moment.
  at(time) {
    const { view } = this, none = "\u2013";
    const place = Math.min(Math.floor(time * view.hz + 1e-6), Math.ceil(view.duration * view.hz) - 1);
    const part = momentAt(view, time), one = utteranceAt(view, time);
    const rows = [["time", moment(time, view.duration, view.duration < 100 ? 2 : 1)]];
    if (view.words.length) rows.push(["word", wordAt(view, time)?.text.trim() ?? none]);
    if (view.about) {
      const { score, interval } = one?.prediction ?? {};
      rows.push(["score", score == null ? none : signed(score)], ["interval", interval ? `${signed(interval.low)} to ${signed(interval.high)}` : none]);
    }
    for (const { name, unit: of, values } of view.series) {
      const value = values[place];
      rows.push([name, value == null ? none : `${value.toFixed(of === "Hz" || of === "dB" ? 0 : 2).replace("-", "\u2212")}${of === "0 to 1" || !of ? "" : ` ${of}`}`]);
    }
    for (const [name, people] of MODALITIES)
      if (view.moments.some((any) => name in any.change)) rows.push([`${people} counted`, part && name in part.change ? signed(part.change[name]) : none]);
    if (view.face) rows.push(["face seen", view.face[place] == null ? none : view.face[place] ? "yes" : "no"]);
    return rows;
  }

  // After a change between light and dark.
  recolour() {
    this.wave?.setOptions({ waveColor: colour("--wave"), progressColor: colour("--accent") });
    for (const entry of this.rows.filter((one) => one.plot)) {
      entry.plot.destroy();
      entry.plot = entry.make();
      entry.size = this.size();
    }
    this.render();
  }

  remove() {
    this.observer.disconnect();
    this.gone?.abort();
    dark.removeEventListener("change", this.recolours);
    this.wave?.destroy();
    this.rows.forEach((entry) => entry.plot?.destroy());
  }
}

const total = (part) => Object.values(part.change).reduce((sum, value) => sum + value, 0);

// Spread would not do: a long clip has more values than a call may have arguments.
const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

// The mean of each `size` neighbours that are numbers.
function means(values, size) {
  if (size === 1) return values;
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) => {
    const known = values.slice(i * size, (i + 1) * size).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  });
}

export const tone = (change) => (change == null || Math.abs(change) < 0.005 ? "even" : change > 0 ? "raised" : "lowered");

export function said(word) {
  const when = word.start === null ? "" : `at ${seconds(word.start)}`;
  const did = word.change == null ? "" : `${word.change < 0 ? "lowered" : "raised"} the score by ${Math.abs(word.change).toFixed(2)}`;
  return [when, did].filter(Boolean).join(", ");
}

function unit(values) {
  const [low, high] = ends(values.filter((value) => value !== null));
  return values.map((value) => (value === null ? null : (value - low) / (high - low || 1)));
}
