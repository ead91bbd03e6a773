// What the page looks at: one form for the answer about a clip and for the timeline of a long file.
//
// name, duration, hz; range [low, high] of the score; peaks and peaksPerSecond, the outline of the sound; series
// [{ name, of: "voice" | "face", unit, values }]; face [true | false | null] or null; words [{ text, start, end, change }];
// utterances [{ start, end, text, prediction | null, failed, words }]; moments [{ start, end, change }], what is stacked;
// prediction, of a single clip; about, a timeline's document; missing { modality: why }; notes [text].

const NAMES = { energy: "loudness", mouth_down: "mouth corners down", brow_raise: "brows raised", brow_lower: "brows lowered", blink: "eyes closed", jaw_open: "mouth open" };
const UNITS = { "dB of full scale": "dB" };

// Where a face is seen; of a file without pictures nowhere is looked.
const looked = (face, missing) => (face && /no video stream/.test(missing.video ?? "") ? face.map(() => null) : face ?? null);

// The answer of /v1/predict with tracks=true.
export function ofPrediction(prediction, name = "") {
  const { tracks } = prediction;
  const timed = tracks.words.filter((word) => word.start !== null);
  const whole = {
    start: timed.length ? timed[0].start : 0, end: timed.length ? timed.at(-1).end : tracks.duration,
    text: prediction.transcript ?? "", words: tracks.words, prediction, failed: null, number: 0,
  };
  return {
    name, duration: tracks.duration, hz: tracks.hz, range: prediction.score_range, peaks: tracks.peaks, peaksPerSecond: tracks.peaks_per_second,
    series: tracks.series, face: looked(tracks.face, prediction.missing), words: tracks.words, utterances: [whole], moments: prediction.over_time,
    prediction, about: null, missing: prediction.missing, notes: tracks.notes ?? [], document: prediction,
  };
}

// The answer of /v1/explain about a clip that cannot be scored; `tracks` where they were measured.
export function ofExplanation(explained, why, name = "", tracks = null) {
  return {
    name, duration: tracks?.duration ?? 0, hz: tracks?.hz ?? 10, range: null, peaks: tracks?.peaks ?? [], peaksPerSecond: tracks?.peaks_per_second ?? 50,
    series: tracks?.series ?? [], face: looked(tracks?.face, explained.missing), words: tracks?.words ?? [], utterances: [], moments: [],
    prediction: null, explained, why, about: null, missing: explained.missing, notes: [], document: explained,
  };
}

// timeline.json.
export function ofTimeline(document_) {
  const { hertz, tracks } = document_.tracks;
  const range = document_.model.score_range;
  const series = Object.entries(tracks).filter(([name]) => name !== "face").map(([name, track]) => ({
    name: NAMES[name] ?? name.replace(/^expression_/, "").replaceAll("_", " "), of: name === "energy" || name === "pitch" ? "voice" : "face",
    unit: UNITS[track.unit] ?? track.unit, values: track.values, group: name.startsWith("expression_") ? "Expressions" : undefined,
  }));
  const utterances = document_.utterances.map((record) => ({
    start: record.start, end: record.end, text: record.text, words: wordsOf(record), failed: record.failed, number: record.number,
    prediction: record.failed === null ? predictionOf(record, range) : null,
  }));
  const scored = utterances.filter((one) => one.prediction);
  return {
    name: document_.file.split(/[\\/]/).at(-1), duration: document_.duration, hz: hertz, range,
    peaks: (tracks.energy?.values ?? []).map((level) => (level === null ? 0 : 10 ** (level / 20))), peaksPerSecond: hertz,
    series, face: looked(tracks.face?.values.map((value) => (value === null ? null : value > 0)), document_.missing),
    words: utterances.flatMap((one) => one.words), utterances,
    moments: scored.map(({ start, end, prediction }) => ({ start, end, change: prediction.contributions })),
    prediction: null, about: document_, missing: document_.missing, notes: document_.damage, document: document_,
  };
}

// Words with what they did; of an utterance that was not scored the words alone.
function wordsOf(record) {
  return record.changes?.length ? record.changes : record.words.map(({ text, start, end }) => ({ text, start, end, change: null }));
}

function predictionOf(record, range) {
  return {
    ...record, score_range: range, unimodal: record.alone, transcript: record.text, over_time: [],
    explanation: { ...record.explanation, provenance: { failed: record.explainer_failed } },
  };
}

// The utterance that is said at a time: the last to begin, or null.
export function utteranceAt(view, time) {
  return view.utterances.findLast((one) => one.start <= time && time < one.end) ?? null;
}

export const wordAt = (view, time) => view.words.find((one) => one.start !== null && one.start <= time && time < one.end) ?? null;

export const momentAt = (view, time) => view.moments.findLast((one) => one.start <= time && time < one.end) ?? null;

// [first, last] of each run of values that are true, in places.
export function runs(values) {
  const found = [];
  values.forEach((there, i) => {
    if (there && found.length && found.at(-1)[1] === i) found.at(-1)[1] = i + 1;
    else if (there) found.push([i, i + 1]);
  });
  return found;
}
