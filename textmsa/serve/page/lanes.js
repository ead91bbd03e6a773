// Rows that are painted: what stands where in time, for the part that is shown.

import { MODALITIES, colour, el, moment } from "./dom.js";

// A canvas of the row's width, sharp on every screen; `paint(pen, scale)` fills it.
export class Lane {
  constructor(kind, height, paint, label) {
    this.height = height;
    this.paint = paint;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.element = el("div", { class: `lane painted ${kind}`, "--high": `${height}px`, ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) }, this.canvas);
  }

  draw(span) {
    const width = this.element.clientWidth, ratio = devicePixelRatio || 1;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(this.height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, this.height);
    this.onto(pen, span, width);
  }

  // Paints at the pen's origin, also for a picture to keep.
  onto(pen, span, width) {
    const perSecond = width / (span.wide || 1);
    this.paint(pen, { x: (time) => (time - span.from) * perSecond, width, height: this.height, perSecond, from: span.from, to: span.to });
  }
}

const shown = (list, scale) => list.filter((one) => one.start !== null && one.end > scale.from && one.start < scale.to);

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

export function ruler(duration) {
  return new Lane("ruler", 22, (pen, scale) => {
    const step = TICKS.find((one) => one * scale.perSecond >= 62) ?? 7200;
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (let i = Math.ceil(scale.from / step - 1e-6); i * step <= scale.to; i++) {
      const x = scale.x(i * step);
      pen.fillStyle = colour("--line");
      pen.fillRect(x, 0, 1, scale.height);
      pen.fillStyle = colour("--faint");
      if (x + 40 < scale.width) pen.fillText(moment(i * step, duration, step < 1 ? 1 : 0), x + 4, scale.height / 2);
    }
  });
}

const LETTERS = 3; // what fewer letters of a word have room for says nothing

// Each word at its time on a ground tinted by what it did; from afar only the tints.
export function words(list) {
  const most = list.reduce((all, word) => Math.max(all, Math.abs(word.change ?? 0)), 1e-9);
  return new Lane("words", 32, (pen, scale) => {
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const least = pen.measureText("n".repeat(LETTERS)).width;
    for (const word of shown(list, scale)) {
      const x = scale.x(word.start), wide = Math.max(1, scale.x(word.end) - x - 1), force = Math.abs(word.change ?? 0) / most;
      pen.fillStyle = colour("--sheet");
      pen.fillRect(x, 4, wide, scale.height - 8);
      if (word.change) {
        pen.globalAlpha = 0.15 + 0.5 * force;
        pen.fillStyle = colour(word.change > 0 ? "--raised" : "--lowered");
        pen.fillRect(x, 4, wide, scale.height - 8);
        pen.globalAlpha = 1;
        pen.fillRect(x, scale.height - 7, wide, 3);
      }
      if (wide < least) continue;
      pen.fillStyle = colour("--ink");
      clipped(pen, word.text.trim(), x + 2, scale.height / 2 - 1, wide - 3);
    }
  });
}

// A text in the room that there is; one that does not fit ends with an ellipsis, and nothing is drawn over a neighbour.
function clipped(pen, whole, x, y, wide) {
  const text = shortened(pen, whole, wide);
  pen.save();
  pen.beginPath();
  pen.rect(x, 0, wide, 400);
  pen.clip();
  pen.fillText(text, x, y);
  pen.restore();
}

function shortened(pen, text, wide) {
  const letters = [...text.slice(0, 400)], cut = (count) => `${letters.slice(0, count).join("").trimEnd()}\u2026`;
  if (letters.join("") === text && pen.measureText(text).width <= wide) return text;
  let [fits, many] = [1, letters.length];
  while (many - fits > 1) {
    const middle = (fits + many) >> 1;
    if (pen.measureText(cut(middle)).width <= wide) fits = middle;
    else many = middle;
  }
  return cut(fits);
}

export function utterances(view) {
  return new Lane("utterances", 26, (pen, scale) => {
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (const one of shown(view.utterances, scale)) {
      const x = scale.x(one.start), wide = Math.max(2, scale.x(one.end) - x - 1);
      pen.fillStyle = tint(one);
      pen.globalAlpha = one.prediction ? 0.3 : 1;
      pen.fillRect(x, 3, wide, scale.height - 6);
      pen.globalAlpha = 1;
      pen.fillRect(x, 3, Math.min(3, wide), scale.height - 6);
      pen.fillStyle = colour("--ink");
      const left = Math.max(x, 0) + 6;
      if (x + wide - left > 24) clipped(pen, one.text, left, scale.height / 2, x + wide - left);
    }
  });
}

const tint = (one) => colour(!one.prediction ? "--rail" : { positive: "--raised", negative: "--lowered" }[one.prediction.polarity] ?? "--neutral");

// The score of what is said, on the model's whole scale, with its interval as a band.
export function sentiment(view, label) {
  const [low, high] = view.range;
  return new Lane("sentiment", 104, (pen, scale) => {
    const y = (value) => 6 + ((high - value) / (high - low)) * (scale.height - 12);
    zero(pen, y(0), scale.width);
    for (const one of shown(view.utterances, scale)) {
      const x = scale.x(one.start), wide = Math.max(2, scale.x(one.end) - x - 1);
      if (!one.prediction) {
        pen.fillStyle = colour("--rail");
        pen.globalAlpha = 0.4;
        pen.fillRect(x, 0, wide, scale.height);
        pen.globalAlpha = 1;
        continue;
      }
      const { interval, score } = one.prediction;
      pen.fillStyle = tint(one);
      pen.globalAlpha = 0.25;
      if (interval) pen.fillRect(x, y(interval.high), wide, y(interval.low) - y(interval.high));
      pen.globalAlpha = 1;
      pen.fillRect(x, y(score) - 2, wide, 4);
    }
  }, label);
}

function zero(pen, y, width) {
  pen.strokeStyle = colour("--faint");
  pen.setLineDash([4, 4]);
  pen.beginPath();
  pen.moveTo(0, Math.round(y) + 0.5);
  pen.lineTo(width, Math.round(y) + 0.5);
  pen.stroke();
  pen.setLineDash([]);
}

// What words, voice and face added, stacked: what raises above the line, what lowers below it.
export function stacked(list, most, label) {
  return new Lane("stacked", 84, (pen, scale) => {
    const middle = scale.height / 2, perUnit = (middle - 3) / most;
    for (const part of shown(list, scale)) {
      const x = scale.x(part.start), wide = Math.max(1, scale.x(part.end) - x - 1);
      const reached = [0, 0];
      for (const [name] of MODALITIES) {
        const value = part.change[name] ?? 0, tall = Math.abs(value) * perUnit, side = value < 0 ? 1 : 0;
        pen.fillStyle = colour(`--${name}`);
        pen.fillRect(x, side ? middle + reached[1] : middle - reached[0] - tall, wide, tall);
        reached[side] += tall;
      }
    }
    zero(pen, middle, scale.width);
  }, label);
}

export function tallest(list) {
  const reach = (change, sign) => Object.values(change).reduce((sum, value) => sum + Math.max(0, sign * value), 0);
  return list.reduce((most, { change }) => Math.max(most, reach(change, 1), reach(change, -1)), 1e-6);
}

// Where a face is seen.
export function presence(pieces, hz, label) {
  return new Lane("presence", 26, (pen, scale) => {
    pen.fillStyle = colour("--video");
    for (const [from, to] of pieces) {
      if (to / hz < scale.from || from / hz > scale.to) continue;
      const x = scale.x(from / hz);
      pen.fillRect(x, scale.height / 2 - 5, Math.max(1, scale.x(to / hz) - x), 10);
    }
  }, label);
}

// Where nothing could be measured stays empty.
export function outline(pen, scale, peaks, perSecond) {
  const loudest = peaks.reduce((most, peak) => Math.max(most, peak), 1e-6), wide = scale.perSecond / perSecond;
  pen.fillStyle = colour("--wave");
  for (let i = Math.max(0, Math.floor(scale.from * perSecond)); i < Math.min(peaks.length, scale.to * perSecond); i++) {
    const tall = Math.max(1, (peaks[i] / loudest) * (scale.height - 4));
    pen.fillRect(scale.x(i / perSecond), (scale.height - tall) / 2, Math.max(wide * 0.7, 0.5), tall);
  }
}
