// Files to keep: the answer as it came (JSON), the tracks as a table (CSV), words with scores (SRT, ELAN's EAF), a picture.

import { MODALITIES, colour, el, moment, signed } from "./dom.js";
import { outline } from "./lanes.js";
import { momentAt, utteranceAt, wordAt } from "./view.js";

export function save(name, blob) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export const json = (view) => new Blob([JSON.stringify(view.document, null, 2)], { type: "application/json" });

// A row for each tenth of a second.
export function csv(view) {
  const rows = [["time", ...view.series.map((series) => series.name), "face", "word", "word_change", "score", "low", "high", ...MODALITIES.map(([name]) => `${name}_change`)]];
  for (let i = 0; i < Math.ceil(view.duration * view.hz - 1e-6); i++) {
    const time = (i + 0.5) / view.hz;
    const word = wordAt(view, time), part = momentAt(view, time), { score, interval } = utteranceAt(view, time)?.prediction ?? {};
    const there = view.face?.[i];
    rows.push([
      time.toFixed(2), ...view.series.map((series) => series.values[i] ?? ""), there == null ? "" : Number(there), word?.text ?? "", word?.change ?? "",
      score ?? "", interval?.low ?? "", interval?.high ?? "", ...MODALITIES.map(([name]) => part?.change[name] ?? ""),
    ]);
  }
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  return new Blob(["\uFEFF", text, "\r\n"], { type: "text/csv;charset=utf-8" });
}

// Quoted where it must be; what a spreadsheet would take for a formula is kept from being one.
function cell(value) {
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const scoreInWords = (one) => (one.prediction ? signed(one.prediction.score).replace("\u2212", "-") : "not scored");

// The words as they are said, each utterance with its score before it.
export function srt(view) {
  const clock = (time) => new Date(Math.round(time * 1000)).toISOString().slice(11, 23).replace(".", ",");
  const blocks = view.utterances.map((one, i) => `${i + 1}\n${clock(one.start)} --> ${clock(Math.max(one.end, one.start + 0.001))}\n[${scoreInWords(one)}] ${one.text.trim().replace(/\s+/g, " ")}\n`); // an empty line would end it
  return new Blob([blocks.join("\n")], { type: "application/x-subrip" });
}

// Whole milliseconds, one at least.
const startOf = (one) => Math.round(one.start * 1000);
const endOf = (one) => Math.max(Math.round(one.end * 1000), startOf(one) + 1);

// ELAN's annotations, EAF 3.0: utterances, and their words, score and explanation beneath them. Utterances that overlap
// stand on a second set of tiers, as ELAN's tiers may not overlap themselves.
export function eaf(view) {
  const file = new Eaf();
  const lanes = [];
  for (const one of view.utterances) {
    const place = lanes.findIndex((lane) => endOf(lane.at(-1)) <= startOf(one));
    place < 0 ? lanes.push([one]) : lanes[place].push(one);
  }
  (lanes.length ? lanes : [[]]).forEach((lane, i) => file.tiers(lane, i ? ` ${i + 1}` : ""));
  return new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', new XMLSerializer().serializeToString(file.whole())], { type: "application/xml" });
}

class Eaf {
  constructor() {
    this.document = document.implementation.createDocument(null, "ANNOTATION_DOCUMENT");
    this.slots = []; // ms
    this.written = [];
    this.annotations = 0;
  }

  node(name, attributes = {}, ...children) {
    const node = this.document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  annotation(tier, kind, attributes, text) {
    const id = `a${++this.annotations}`;
    const plain = text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ""); // XML has no others
    tier.append(this.node("ANNOTATION", {}, this.node(kind, { ANNOTATION_ID: id, ...attributes }, this.node("ANNOTATION_VALUE", {}, plain))));
    return id;
  }

  aligned(tier, start, end, text) {
    this.slots.push(start, end);
    return this.annotation(tier, "ALIGNABLE_ANNOTATION", { TIME_SLOT_REF1: `ts${this.slots.length - 1}`, TIME_SLOT_REF2: `ts${this.slots.length}` }, text);
  }

  tiers(lane, suffix) {
    const parent = `utterances${suffix}`;
    const tier = (name) => this.node("TIER", { LINGUISTIC_TYPE_REF: name, PARENT_REF: parent, TIER_ID: `${name}${suffix}` });
    const top = this.node("TIER", { LINGUISTIC_TYPE_REF: "utterance", TIER_ID: parent });
    const words = tier("words"), score = tier("score"), explanation = tier("explanation");
    for (const one of lane) {
      const start = startOf(one), end = endOf(one);
      const own = this.aligned(top, start, end, one.text);
      let reached = start;
      for (const word of one.words.filter((any) => any.start !== null)) {
        const first = Math.min(Math.max(Math.round(word.start * 1000), reached), end - 1);
        reached = Math.min(Math.max(Math.round(word.end * 1000), first + 1), end);
        if (first < reached) this.aligned(words, first, reached, word.text.trim());
      }
      const { explanation: said } = one.prediction ?? {};
      this.annotation(score, "REF_ANNOTATION", { ANNOTATION_REF: own }, scoreInWords(one));
      this.annotation(explanation, "REF_ANNOTATION", { ANNOTATION_REF: own }, one.failed ?? [said?.audio, said?.video, said?.summary].filter(Boolean).join(" "));
    }
    this.written.push(top, words, score, explanation);
  }

  whole() {
    const root = this.document.documentElement;
    for (const [name, value] of Object.entries({ AUTHOR: "textmsa", DATE: new Date().toISOString().slice(0, 19) + "+00:00", FORMAT: "3.0", VERSION: "3.0" })) root.setAttribute(name, value);
    root.append(this.node("HEADER", { MEDIA_FILE: "", TIME_UNITS: "milliseconds" }, this.node("PROPERTY", { NAME: "lastUsedAnnotationId" }, String(this.annotations))));
    const order = this.slots.map((time, i) => [time, i + 1]).sort((a, b) => a[0] - b[0]);
    root.append(this.node("TIME_ORDER", {}, ...order.map(([time, i]) => this.node("TIME_SLOT", { TIME_SLOT_ID: `ts${i}`, TIME_VALUE: time }))), ...this.written);
    for (const [name, kind] of [["utterance", null], ["words", "Included_In"], ["score", "Symbolic_Association"], ["explanation", "Symbolic_Association"]])
      root.append(this.node("LINGUISTIC_TYPE", { GRAPHIC_REFERENCES: "false", LINGUISTIC_TYPE_ID: name, TIME_ALIGNABLE: String(kind !== "Symbolic_Association"), ...(kind ? { CONSTRAINTS: kind } : {}) }));
    for (const [name, what] of [["Included_In", "Time alignable annotations within the parent annotation's time interval, gaps are allowed"], ["Symbolic_Association", "1-1 association with a parent annotation"]])
      root.append(this.node("CONSTRAINT", { DESCRIPTION: what, STEREOTYPE: name }));
    return this.document;
  }
}

// Score, what counted, and the tracks, as they stand on the page.
export function png(view, tracks) {
  const wide = 1200, left = 150, top = view.prediction ? 240 : 76, room = wide - left - 24;
  const high = top + tracks.rows.reduce((sum, row) => sum + row.height + (row.legend ? 36 : 14), 0) + 28;
  const canvas = el("canvas", { width: wide, height: high });
  const pen = canvas.getContext("2d");
  const write = (text, x, y, size = 15, weight = "") => {
    pen.font = `${weight} ${size}px system-ui, sans-serif`;
    pen.textBaseline = "alphabetic";
    pen.fillText(text, x, y);
  };
  pen.fillStyle = colour("--paper");
  pen.fillRect(0, 0, wide, high);
  pen.fillStyle = colour("--ink");
  if (view.prediction) head(view.prediction, pen, write);
  else write(view.name.slice(0, 90), 24, 44, 24, "600");
  let y = top;
  for (const row of tracks.rows) {
    pen.fillStyle = colour("--ink");
    write(row.name, 24, y + row.height / 2 + 5);
    pen.save();
    pen.translate(left, y);
    pen.beginPath();
    pen.rect(0, 0, room, row.height);
    pen.clip();
    if (row.lane) row.lane.onto(pen, tracks.span, room);
    else if (row.plot) pen.drawImage(row.plot.ctx.canvas, 0, 0, room, row.height);
    else outline(pen, { x: (time) => tracks.span.share(time) * room, height: row.height, perSecond: room / tracks.span.wide, from: tracks.span.from, to: tracks.span.to }, view.peaks, view.peaksPerSecond);
    pen.restore();
    y += row.height + 14;
    (row.legend ?? []).forEach(([name, tint], i) => {
      pen.fillStyle = colour(tint);
      write(name, left + i * 140, y, 13);
    });
    if (row.legend) y += 22;
  }
  pen.fillStyle = colour("--faint");
  write(`${moment(tracks.span.from, view.duration)} to ${moment(tracks.span.to, view.duration)}`, 24, y + 12, 13);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function head(prediction, pen, write) {
  write(`${signed(prediction.score)} ${prediction.polarity}`, 24, 48, 30, "600");
  const { interval, score_range: [from, to] } = prediction;
  write(interval ? `${Math.round(interval.level * 100)} % interval ${signed(interval.low)} to ${signed(interval.high)}` : "no interval", 24, 74);
  write((prediction.transcript ?? "").slice(0, 140), 24, 102);
  const at = (value) => 480 + ((value - from) / (to - from)) * 680;
  pen.fillStyle = colour("--rail");
  pen.fillRect(480, 38, 680, 8);
  pen.fillStyle = colour("--band");
  if (interval) pen.fillRect(at(interval.low), 34, at(interval.high) - at(interval.low), 16);
  pen.fillStyle = colour("--ink");
  pen.fillRect(at(prediction.score) - 2, 28, 4, 28);
  write(String(from), 480, 74, 13);
  write("0", at(0) - 4, 74, 13);
  write(`+${to}`, 1140, 74, 13);
  const most = Math.max(...Object.values(prediction.contributions).map(Math.abs), 1e-6);
  MODALITIES.forEach(([name, people], i) => {
    const y = 134 + i * 30, value = prediction.contributions[name] ?? 0;
    pen.fillStyle = colour("--ink");
    write(`${people} ${signed(value)}`, 24, y + 14);
    pen.fillStyle = colour(`--${name}`);
    pen.fillRect(value < 0 ? 480 + (value / most) * 300 : 480, y, (Math.abs(value) / most) * 300, 18);
  });
  pen.fillStyle = colour("--faint");
  pen.fillRect(479.5, 130, 1, 88);
}
