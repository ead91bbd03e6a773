// Beside the clip: the score on its scale, what counted, what is said of it, what was missing.

import { MODALITIES, el, signed } from "./dom.js";

export function panel(prediction) {
  return [score(prediction), counted(prediction), missing(prediction)].filter(Boolean);
}

function score(prediction) {
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
  const ends = el("div", { class: "ends", "aria-hidden": "true" }, el("span", { text: low }), el("span", { text: "0" }), el("span", { text: `+${high}` }));
  const sure = interval
    ? `${Math.round(interval.level * 100)} % interval ${signed(interval.low)} to ${signed(interval.high)}, calibrated on ${interval.source}`
    : `No interval: ${(prediction.no_interval || "nothing is known of it").replace(/^none: /, "")}`;
  return el(
    "section", { class: "box" }, el("h2", { text: "Score" }),
    el("p", { class: "figure" }, el("strong", { text: signed(prediction.score) }), ` ${prediction.polarity}`),
    scale, ends, el("p", { class: "faint", text: sure }),
  );
}

export function inWords(prediction) {
  const [low, high] = prediction.score_range;
  const { interval } = prediction;
  const sure = interval ? `, ${Math.round(interval.level * 100)} % interval ${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}` : "";
  return `Score ${prediction.score.toFixed(2)} on a scale from ${low} to ${high}, ${prediction.polarity}${sure}`;
}

function counted(prediction) {
  const { contributions, base } = prediction;
  if (!Object.keys(contributions).length) return null;
  const most = Math.max(...Object.values(contributions).map(Math.abs), 1e-6);
  const rows = MODALITIES.map(([name, people]) => {
    const value = contributions[name] ?? 0;
    const alone = prediction.unimodal?.[name];
    const note = name in prediction.missing ? "missing" : !(prediction.scored_by ?? [name]).includes(name) ? "explained only" : alone == null ? "" : `alone ${signed(alone)}`;
    return el(
      "div", { class: "bar-of" }, el("span", { text: people }),
      el("span", { class: "bar-rail", "aria-hidden": "true" },
        el("i", { class: `${name} ${value < 0 ? "left" : "right"}`, "--wide": Math.abs(value) / most })),
      el("b", { text: signed(value) }), el("small", { text: note }),
    );
  });
  return el(
    "section", { class: "box" }, el("h2", { text: "What counted" }),
    el("p", { class: "faint", text: `From ${signed(base)} (${prediction.base_of}); these add up to the score.` }), ...rows,
  );
}

// What is said in the clip and of it; `words` is the line of words, or null.
export function told(prediction, words) {
  const { explanation, spoken } = prediction;
  const lines = [["Voice", explanation.audio], ["Face", explanation.video], ["Words", explanation.text], ["In short", explanation.summary], ["Reason", explanation.reason]];
  const list = el("dl", {}, ...lines.filter(([, text]) => text).flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text, dir: "auto" })]));
  const from = spoken && spoken.source === "speech recognition" ? "recognised" : spoken && spoken.source !== "none" ? spoken.source : "";
  return el(
    "section", { class: "box" }, el("h2", { text: "In words" }), words,
    words && el("p", { class: "keys" }, el("span", { class: "word raised", text: "raised", "--force": 1 }), " and ", el("span", { class: "word lowered", text: "lowered", "--force": 1 }), ` the score${from ? `; words ${from}` : ""}`),
    list,
    explanation.provenance?.failed && el("p", { class: "warning", text: `The explainer failed: ${explanation.provenance.failed}` }),
  );
}

function missing(prediction) {
  const people = Object.fromEntries(MODALITIES);
  const lines = Object.entries(prediction.missing).map(([name, why]) => `No ${people[name] ?? name}: ${why}`);
  if (prediction.damage) lines.push(`Damaged: ${prediction.damage}; scored from the rest`);
  lines.push(...(prediction.notes ?? []));
  lines.push(...(prediction.tracks?.notes ?? []));
  const content = lines.length ? el("ul", {}, ...lines.map((text) => el("li", { text }))) : el("p", { class: "faint", text: "Nothing was missing: words, voice and face were read." });
  return el("section", { class: "box" }, el("h2", { text: "What to know" }), content);
}
