// Beside the clip: the score on its scale, what counted, what is said of it, what was missing.

import { MODALITIES, el, moment, seconds, signed } from "./dom.js";
import { legend } from "./transcript.js";

export function panel(prediction) {
  return [score(prediction), counted(prediction), missing(prediction)].filter(Boolean);
}

export function score(prediction, title = "Score") {
  const [low, high] = prediction.score_range;
  const share = (value) => (value - low) / (high - low);
  const { interval } = prediction;
  const scale = el(
    "div", { class: "scale", role: "img", "aria-label": inWords(prediction) },
    el("div", { class: "rail" }),
    interval && el("div", { class: "band", "--at": share(interval.low), "--wide": share(interval.high) - share(interval.low) }),
    el("div", { class: "zero-mark", "--at": share(0) }),
    el("div", { class: "mark", "--at": share(prediction.score) }),
  );
  const ends = el("div", { class: "ends", "aria-hidden": "true" }, el("span", { text: signedEnd(low) }), el("span", { text: "0" }), el("span", { text: signedEnd(high) }));
  const sure = interval
    ? `${Math.round(interval.level * 100)} % interval ${signed(interval.low)} to ${signed(interval.high)}, calibrated on ${interval.source}`
    : `No interval: ${(prediction.no_interval || "nothing is known of it").replace(/^none: /, "")}`;
  return el(
    "section", { class: "box" }, el("h2", { text: title }),
    el("p", { class: "figure" }, el("strong", { text: signed(prediction.score) }), ` ${prediction.polarity}`),
    scale, ends, el("p", { class: "faint", text: sure }),
  );
}

export const signedEnd = (value) => (value > 0 ? `+${value}` : `${value}`.replace("-", "\u2212"));

export function inWords(prediction) {
  const [low, high] = prediction.score_range;
  const { interval } = prediction;
  const sure = interval ? `, ${Math.round(interval.level * 100)} % interval ${signed(interval.low)} to ${signed(interval.high)}` : "";
  return `Score ${signed(prediction.score)} on a scale from ${signedEnd(low)} to ${signedEnd(high)}, ${prediction.polarity}${sure}`;
}

// Whether the score is of words, voice or face at all; a model may only explain them.
export const isScored = (prediction, name) => (prediction.scored_by ?? [name]).includes(name);

export function counted(prediction) {
  const { contributions, base } = prediction;
  if (!Object.keys(contributions).length) return null;
  const most = Math.max(...Object.values(contributions).map(Math.abs), 1e-6);
  const rows = MODALITIES.map(([name, people]) => {
    const value = contributions[name] ?? 0;
    const alone = prediction.unimodal?.[name];
    const counts = isScored(prediction, name);
    const note = name in prediction.missing ? "missing" : !counts ? "explained only" : alone == null ? "" : `alone ${signed(alone)}`;
    return el(
      "div", { class: "bar-of" }, el("span", { text: people }),
      el("span", { class: "bar-rail", "aria-hidden": "true" },
        el("i", { class: `${name} ${value < 0 ? "left" : "right"}`, "--wide": Math.abs(value) / most })),
      el("b", { text: counts ? signed(value) : "" }), el("small", { text: note }),
    );
  });
  return el(
    "section", { class: "box" }, el("h2", { text: "What counted" }),
    el("p", { class: "faint", text: `From ${signed(base)} (${prediction.base_of}); these add up to the score.` }), ...rows,
  );
}

// What voice and face express, what the words say, in sentences.
export function explained(explanation) {
  const lines = [["Voice", explanation.audio], ["Face", explanation.video], ["Words", explanation.text], ["In short", explanation.summary], ["Reason", explanation.reason]];
  return [
    el("dl", {}, ...lines.filter(([, text]) => text).flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text, dir: "auto" })])),
    explanation.provenance?.failed && el("p", { class: "warning", text: `The explainer failed: ${explanation.provenance.failed}` }),
  ];
}

// What is said in the clip and of it; `words` is the line of words, or null.
export function told(document_, words) {
  const { explanation, spoken } = document_;
  const from = spoken && spoken.source === "speech recognition" ? "recognised" : spoken && spoken.source !== "none" ? spoken.source : "";
  const coloured = document_.score != null && words;
  return el("section", { class: "box" }, el("h2", { text: "In words" }), words, coloured && legend(from ? `; words ${from}` : ""), ...explained(explanation));
}

export function missing({ missing: lacks, damage, notes, tracks }) {
  const people = Object.fromEntries(MODALITIES);
  const lines = Object.entries(lacks).map(([name, why]) => `No ${people[name] ?? name}: ${why}`);
  if (damage) lines.push(`Damaged: ${damage}; scored from the rest`);
  lines.push(...(notes ?? []), ...(tracks?.notes ?? []));
  const content = lines.length ? el("ul", {}, ...lines.map((text) => el("li", { text }))) : el("p", { class: "faint", text: "Nothing was missing: words, voice and face were read." });
  return el("section", { class: "box" }, el("h2", { text: "What to know" }), content);
}

// A clip that can be explained and not scored.
export function unscored(view) {
  return el("section", { class: "box" }, el("h2", { text: "No score" }), el("p", { text: view.why }), el("p", { class: "faint", text: "What voice and face express is told all the same." }));
}

// A long file as a whole.
export function whole(view, clock) {
  const { about } = view;
  const scored = view.utterances.filter((one) => one.prediction);
  const value = (one) => one.prediction.score;
  const go = (one) => el("button", { type: "button", class: "small", text: moment(one.start, view.duration, 0), "aria-label": `To ${moment(one.start, view.duration, 0)}`, onclick: () => clock.seek(one.start + 1e-3) });
  const lines = [el("p", { text: `${moment(view.duration, view.duration, 0)}, ${about.counts.scored} utterances scored${about.counts.failed ? `, ${about.counts.failed} not` : ""}.` })];
  if (scored.length) {
    const spoken = scored.reduce((sum, one) => sum + one.end - one.start, 0);
    const low = scored.reduce((a, b) => (value(b) < value(a) ? b : a)), high = scored.reduce((a, b) => (value(b) > value(a) ? b : a));
    const term = (name, ...content) => [el("dt", { text: name }), el("dd", {}, ...content)];
    lines.push(el("dl", { class: "terms" }, ...term("Mean", el("b", { text: signed(about.mean) }), ` over the ${seconds(spoken)} of speech`), ...term("Lowest", el("b", { text: signed(value(low)) }), " at ", go(low)), ...term("Highest", el("b", { text: signed(value(high)) }), " at ", go(high))));
  } else if (about.words_from.reason) lines.push(el("p", { class: "faint", text: `No words: ${about.words_from.reason}` }));
  const { corpus, path } = about.model;
  lines.push(el("p", { class: "faint", text: `Scored by ${String(path).split(/[\\/]/).at(-1)}, trained on ${corpus}; words from ${about.words_from.source}.` }));
  const lacks = Object.entries(view.missing).length || view.notes.length ? missing({ missing: view.missing, notes: view.notes.slice(0, 6) }) : null;
  return [el("section", { class: "box" }, el("h2", { text: view.name || "The file", dir: "auto" }), ...lines), lacks];
}

// The utterance that is said, or why there is none.
export function utterance(view, one) {
  if (!one) return [el("section", { class: "box" }, el("h2", { text: "At this moment" }), el("p", { class: "faint", text: "Nobody speaks. Click an utterance, or play." }))];
  const title = `${moment(one.start, view.duration)} to ${moment(one.end, view.duration)}`;
  if (!one.prediction) return [el("section", { class: "box" }, el("h2", { text: title }), el("p", { text: one.text, dir: "auto" }), el("p", { class: "warning", text: `Not scored: ${one.failed}` }))];
  const { prediction } = one;
  return [
    score(prediction, title), counted(prediction),
    el("section", { class: "box" }, el("h2", { text: "In words" }), el("p", { text: one.text, dir: "auto" }), ...explained(prediction.explanation)),
    Object.keys(prediction.missing).length || prediction.damage || prediction.notes?.length ? missing(prediction) : null,
  ];
}
