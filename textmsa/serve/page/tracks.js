// What happens over the clip, in rows that share the clock: a click seeks, pointing reads every row.

import WaveSurfer from "./vendor/wavesurfer.esm.js";
import { MODALITIES, colour, el, seconds, signed } from "./dom.js";

const FACE_COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
const nonce = document.querySelector("meta[name=style-nonce]").content;

export class Tracks {
  // `document_`: the answer of /v1/predict with tracks=true.
  constructor(clock, document_) {
    this.clock = clock;
    this.prediction = document_;
    this.tracks = document_.tracks;
    this.plots = [];
    this.hidden = new Set();
    this.area = el("div", { class: "rows" });
    this.head = el("div", { class: "line head" });
    this.finger = el("div", { class: "line finger", hidden: true });
    this.readout = el("dl", { class: "readout" });
    this.element = el("div", { class: "tracks" }, this.area, this.readout);
    this.observer = new ResizeObserver(() => this.resize());
  }

  // Draws everything; the element must be in the page, since widths count.
  draw() {
    this.ruler();
    this.waveform();
    this.wordsLane();
    this.pitch();
    this.changes();
    this.face();
    this.area.append(el("div", { class: "over", "aria-hidden": "true" }, this.head, this.finger));
    this.listen();
    this.observer.observe(this.area);
    this.update();
  }

  row(name, note, content, kind) {
    const row = el(
      "div", { class: `row-of ${kind}`, role: "group", "aria-label": name },
      el("div", { class: "label" }, el("span", { text: name }), note ? el("small", { text: note }) : null),
      content,
    );
    this.area.append(row);
    return row;
  }

  ruler() {
    const lane = el("div", { class: "lane ruler", "aria-hidden": "true" });
    const wide = this.area.clientWidth || 600;
    const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120].find((s) => (this.clock.duration / s) * 55 < wide - 110) || 300;
    for (let time = 0; time <= this.clock.duration - step * 0.3; time += step)
      lane.append(el("span", { text: `${time} s`, "--at": this.share(time) }));
    this.area.append(el("div", { class: "row-of" }, el("div", { class: "label" }), lane));
  }

  share(time) {
    return this.clock.duration ? time / this.clock.duration : 0;
  }

  waveform() {
    const { peaks } = this.tracks;
    if (!peaks.length) return;
    const place = el("div", { class: "lane wave", role: "img", "aria-label": this.describe("loudness", "dB") });
    this.row("Sound", "", place, "tall");
    const filled = peaks.slice(0, Math.ceil(this.clock.duration * this.tracks.peaks_per_second));
    while (filled.length < this.clock.duration * this.tracks.peaks_per_second) filled.push(0);
    this.wave = WaveSurfer.create({
      container: place, media: this.clock.video, peaks: [filled], duration: this.clock.duration, height: 56,
      waveColor: colour("--wave"), progressColor: colour("--accent"), cursorWidth: 0, interact: false, normalize: true,
      hideScrollbar: true, cspNonce: nonce, barWidth: 2, barGap: 1, barRadius: 1,
    });
  }

  series(name) {
    return this.tracks.series.find((series) => series.name === name);
  }

  describe(name, unit) {
    const values = (this.series(name)?.values ?? []).filter((value) => value !== null);
    if (!values.length) return `${name}: nothing measured`;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const figure = (value) => value.toFixed(unit === "0 to 1" || !unit ? 2 : 0);
    return `${name} from ${figure(Math.min(...values))} to ${figure(Math.max(...values))} ${unit}, mean ${figure(mean)}`;
  }

  wordsLane() {
    const timed = this.tracks.words.filter((word) => word.start !== null);
    if (!timed.length) return;
    const most = Math.max(...this.tracks.words.map((word) => Math.abs(word.change ?? 0)), 1e-9);
    const lane = el("div", { class: "lane words", "aria-hidden": "true" });
    for (const word of timed) {
      const piece = el("span", {
        class: tone(word.change), text: word.text, dir: "auto", title: `${word.text} ${said(word)}`,
        "--at": this.share(word.start), "--wide": this.share(word.end - word.start),
        "--force": Math.abs(word.change ?? 0) / most,
      });
      lane.append(piece);
    }
    this.row("Words", "", lane, "short");
  }

  // The words as they are read, in their own direction; each is a button that seeks.
  text() {
    const { words } = this.tracks;
    if (!words.length) return null;
    const most = Math.max(...words.map((word) => Math.abs(word.change ?? 0)), 1e-9);
    const line = el("p", { class: "spoken", dir: "auto" });
    for (const word of words) {
      const known = word.start !== null;
      line.append(
        el(known ? "button" : "span", {
          type: known && "button", class: `word ${tone(word.change)}`, text: word.text,
          "--force": Math.abs(word.change ?? 0) / most, title: said(word),
          onclick: known && (() => this.clock.seek(word.start)),
        }),
        " ",
      );
    }
    return line;
  }

  plot(height, series, data, range) {
    const place = el("div", { class: "lane plot", role: "img" });
    const make = () => {
      place.replaceChildren();
      return new window.uPlot(
        {
          width: Math.max(place.clientWidth, 50), height, padding: [4, 0, 4, 0], legend: { show: false }, cursor: { show: false },
          scales: { x: { time: false, range: () => [0, this.clock.duration] }, y: { range: range } },
          axes: [{ show: false }, { show: false }],
          series: [{}, ...series()],
        },
        data, place,
      );
    };
    const entry = { place, make, plot: null };
    this.plots.push(entry);
    return entry;
  }

  times(count) {
    return Array.from({ length: count }, (_, i) => (i + 0.5) / this.tracks.hz);
  }

  pitch() {
    const pitch = this.series("pitch");
    if (!pitch?.values.some((value) => value !== null)) return;
    const values = pitch.values.filter((value) => value !== null);
    const low = Math.min(...values), high = Math.max(...values);
    const entry = this.plot(
      52,
      () => [{ stroke: colour("--audio"), width: 2, spanGaps: false, points: { show: true, size: 4, fill: colour("--audio") } }],
      [this.times(pitch.values.length), pitch.values], () => [low * 0.95, high * 1.05],
    );
    entry.place.setAttribute("aria-label", this.describe("pitch", "Hz"));
    this.row("Pitch", `${low.toFixed(0)}\u2013${high.toFixed(0)} Hz`, entry.place, "");
    entry.plot = entry.make();
  }

  // What each moment adds, stacked: what raises above the line, what lowers below it.
  changes() {
    const parts = this.prediction.over_time;
    if (!parts.length) return;
    const edges = parts.map((part) => part.start);
    const piled = [1, -1].map((sign) => {
      let sum = parts.map(() => 0);
      return MODALITIES.map(([name]) => {
        sum = sum.map((value, i) => value + Math.max(0, sign * (parts[i].change[name] ?? 0)) * sign);
        return [name, sum];
      }).reverse(); // the tallest first, so that the others are drawn over it
    }).flat();
    const most = Math.max(...piled.flatMap(([, values]) => values.map(Math.abs)), 1e-6);
    const wide = parts[0].end - parts[0].start;
    const bars = window.uPlot.paths.bars({ size: [0.92, 200, 1], align: 0 });
    const entry = this.plot(
      76,
      () => piled.map(([name]) => ({ stroke: colour(`--${name}`), fill: colour(`--${name}`), width: 0, paths: bars, points: { show: false } })),
      [edges.map((edge) => edge + wide / 2), ...piled.map(([, values]) => values)], () => [-most * 1.05, most * 1.05],
    );
    entry.place.classList.add("zero");
    entry.place.setAttribute("aria-label", `Contributions over time: ${parts.map((part) => `${seconds(part.start)} ${signed(total(part))}`).join(", ")}`);
    this.row("What counted", `\u00B1${most.toFixed(2)}`, entry.place, "");
    entry.plot = entry.make();
  }

  face() {
    const shown = this.tracks.series.filter((series) => series.of === "face");
    const runs = [];
    this.tracks.face.forEach((there, i) => {
      if (there && runs.length && runs.at(-1)[1] === i) runs.at(-1)[1] = i + 1;
      else if (there) runs.push([i, i + 1]);
    });
    const share = this.tracks.face.filter(Boolean).length / Math.max(this.tracks.face.length, 1);
    const lane = el("div", { class: "lane presence", role: "img", "aria-label": `A face is seen in ${Math.round(share * 100)} % of the clip` });
    for (const [from, to] of runs)
      lane.append(el("i", { "--at": this.share(from / this.tracks.hz), "--wide": this.share((to - from) / this.tracks.hz) }));
    this.row("Face seen", `${Math.round(share * 100)} %`, lane, "short");
    if (!shown.length) return;
    const known = shown.every((series) => series.unit === "0 to 1");
    const scaled = known ? shown.map((series) => series.values) : shown.map((series) => unit(series.values));
    const entry = this.plot(
      96, () => shown.map((series, i) => ({ stroke: colour(FACE_COLOURS[i % 6]), width: 2, show: !this.hidden.has(i), points: { show: false } })),
      [this.times(shown[0].values.length), ...scaled], () => [-0.02, 1.02],
    );
    entry.place.setAttribute("aria-label", shown.map((series) => this.describe(series.name, series.unit)).join("; "));
    this.row("Expressions", known ? "0\u20131" : "each 0\u20131", entry.place, "");
    entry.plot = entry.make();
    this.area.after(this.choice(shown, entry));
  }

  choice(shown, entry) {
    const boxes = shown.map((series, i) =>
      el("label", { class: "key", "--key": `var(${FACE_COLOURS[i % 6]})` },
        el("input", { type: "checkbox", checked: true, onchange: (event) => show(i, event.target.checked) }), series.name));
    const show = (i, on) => {
      on ? this.hidden.delete(i) : this.hidden.add(i);
      entry.plot.setSeries(i + 1, { show: on });
    };
    const every = (on) => boxes.forEach((box, i) => { box.firstChild.checked = on; show(i, on); });
    return el("div", { class: "choice", role: "group", "aria-label": "Expressions shown" }, ...boxes,
      el("button", { type: "button", class: "small", text: "all", onclick: () => every(true) }),
      el("button", { type: "button", class: "small", text: "none", onclick: () => every(false) }));
  }

  listen() {
    const time = (event) => {
      const lane = this.area.querySelector(".lane").getBoundingClientRect();
      const share = (event.clientX - lane.left) / lane.width;
      return share < 0 || share > 1 ? null : share * this.clock.duration;
    };
    this.area.addEventListener("pointermove", (event) => this.clock.point(time(event)));
    this.area.addEventListener("pointerleave", () => this.clock.point(null));
    this.area.addEventListener("click", (event) => {
      if (event.target.closest(".label") || time(event) === null) return;
      this.clock.seek(time(event));
    });
    this.clock.addEventListener("time", () => this.update());
    this.clock.addEventListener("hover", () => this.update());
  }

  update() {
    const { now, pointed } = this.clock;
    this.head.style.setProperty("--at", this.share(now));
    this.finger.hidden = pointed === null;
    if (pointed !== null) this.finger.style.setProperty("--at", this.share(pointed));
    const shown = this.at(pointed ?? now);
    this.readout.replaceChildren(...shown.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value, dir: "auto" }))));
  }

  // Everything that is known of a moment: [name, value in words].
  at(time) {
    const place = Math.min(Math.floor(time * this.tracks.hz + 1e-6), this.tracks.face.length - 1);
    const word = this.tracks.words.find((one) => one.start !== null && one.start <= time && time < one.end);
    const part = this.prediction.over_time.find((one) => one.start <= time && time < one.end);
    const rows = [["time", `${time.toFixed(2)} s`], ["word", word ? word.text : "\u2013"]];
    for (const { name, unit: of, values } of this.tracks.series) {
      const value = values[place];
      const figure = value == null ? "\u2013" : `${value.toFixed(of === "Hz" || of === "dB" ? 0 : 2)}${of === "0 to 1" ? "" : ` ${of}`}`;
      rows.push([name, figure]);
    }
    for (const [name, people] of MODALITIES)
      if (part && name in part.change) rows.push([`${people} counted`, signed(part.change[name])]);
    rows.push(["face seen", this.tracks.face[place] ? "yes" : "no"]);
    return rows;
  }

  resize() {
    for (const entry of this.plots)
      if (entry.plot && Math.abs(entry.plot.width - entry.place.clientWidth) > 1)
        entry.plot.setSize({ width: Math.max(entry.place.clientWidth, 50), height: entry.plot.height });
  }

  // After a change between light and dark.
  recolour() {
    this.wave?.setOptions({ waveColor: colour("--wave"), progressColor: colour("--accent") });
    for (const entry of this.plots) {
      entry.plot?.destroy();
      entry.plot = entry.make();
    }
  }

  remove() {
    this.observer.disconnect();
    this.wave?.destroy();
    this.plots.forEach((entry) => entry.plot?.destroy());
  }
}

const total = (part) => Object.values(part.change).reduce((sum, value) => sum + value, 0);

export const tone = (change) => (change == null || Math.abs(change) < 0.005 ? "even" : change > 0 ? "raised" : "lowered");

export function said(word) {
  const when = word.start === null ? "" : `at ${seconds(word.start)}`;
  const did = word.change == null ? "" : `${word.change < 0 ? "lowered" : "raised"} the score by ${Math.abs(word.change).toFixed(2)}`;
  return [when, did].filter(Boolean).join(", ");
}

function unit(values) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known), wide = Math.max(...known) - low || 1;
  return values.map((value) => (value === null ? null : (value - low) / wide));
}
