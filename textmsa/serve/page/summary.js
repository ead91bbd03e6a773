// A window of the tracks, summed up in a sentence or two.

import { MODALITIES, moment, signed } from "./dom.js";

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

export function summary(view, from, to) {
  const at = (time) => moment(time, view.duration);
  const parts = [`${at(from)} to ${at(to)} (${(to - from).toFixed(1)} s): ${scores(view, from, to, at)}`, counted(view, from, to), said(view, from, to), measured(view, from, to)];
  return parts.filter(Boolean).join(" ");
}

// Seconds that an utterance and a window share; its weight in a mean.
const shared = (one, from, to) => Math.max(0, Math.min(one.end, to) - Math.max(one.start, from));

function weighted(list, from, to, value) {
  const weights = list.map((one) => shared(one, from, to));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  return all ? list.reduce((sum, one, i) => sum + weights[i] * value(one), 0) / all : null;
}

function scores(view, from, to, at) {
  const inside = view.utterances.filter((one) => shared(one, from, to) > 0);
  const scored = inside.filter((one) => one.prediction);
  if (!inside.length) return "nobody speaks.";
  if (view.prediction) return `the clip's score, ${signed(view.prediction.score)}, is of all that is said in it.`;
  const count = `${inside.length} utterance${inside.length > 1 ? "s" : ""}`;
  if (!scored.length) return `${count}, none scored.`;
  const not = inside.length > scored.length ? `, ${inside.length - scored.length} not scored` : "";
  const low = scored.reduce((a, b) => (b.prediction.score < a.prediction.score ? b : a));
  const high = scored.reduce((a, b) => (b.prediction.score > a.prediction.score ? b : a));
  const spread = scored.length > 1 ? `, from ${signed(low.prediction.score)} at ${at(low.start)} to ${signed(high.prediction.score)} at ${at(high.start)}` : "";
  return `${count}${not}; mean score over the seconds of speech ${signed(weighted(scored, from, to, (one) => one.prediction.score))}${spread}.`;
}

function counted(view, from, to) {
  const inside = view.moments.filter((one) => shared(one, from, to) > 0);
  if (!inside.length) return "";
  const shares = MODALITIES.filter(([name]) => inside.some((one) => one.change[name]))
    .map(([name, people]) => `${people} ${signed(weighted(inside, from, to, (one) => one.change[name] ?? 0))}`);
  return shares.length ? `Counted: ${shares.join(", ")}.` : "";
}

function said(view, from, to) {
  const inside = view.words.filter((word) => word.start !== null && shared(word, from, to) > 0);
  if (!inside.length) return "";
  const moved = inside.filter((word) => word.change != null);
  const most = (sign) => moved.reduce((best, word) => (sign * word.change > sign * (best?.change ?? sign * 0.005) ? word : best), null);
  const raised = most(1), lowered = most(-1);
  const told = [raised && `most raised by \u201c${raised.text.trim()}\u201d (${signed(raised.change)})`, lowered && `most lowered by \u201c${lowered.text.trim()}\u201d (${signed(lowered.change)})`];
  const count = `${inside.length} word${inside.length > 1 ? "s" : ""}`;
  return `${[count, ...told.filter(Boolean)].join(", ")}.`;
}

function measured(view, from, to) {
  const first = Math.floor(from * view.hz), last = Math.max(first + 1, Math.ceil(to * view.hz));
  const facts = view.series.filter(({ of, unit }) => unit !== "" || of === "voice").slice(0, 9).map(({ name, unit, values }) => {
    const value = mean(values.slice(first, last).filter((one) => one !== null));
    return value === null ? null : `${name} ${value.toFixed(unit === "0 to 1" || !unit ? 2 : 0)}${unit === "0 to 1" || !unit ? "" : ` ${unit}`}`;
  });
  const looked = (view.face ?? []).slice(first, last).filter((one) => one !== null);
  const seen = looked.length ? `a face is seen ${Math.round(100 * mean(looked.map(Number)))} % of the time` : null;
  const known = [...facts, seen].filter(Boolean);
  return known.length ? `On average ${known.join(", ")}.` : "";
}
