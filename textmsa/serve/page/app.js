// The page: choose a clip, have it scored, look at the answer.

import { versus } from "./compare.js";
import { by, el } from "./dom.js";
import * as jobs from "./jobs.js";
import { markdown } from "./markdown.js";
import { inWords, signedEnd } from "./panel.js";
import { KEYS, press } from "./player.js";
import { record } from "./record.js";
import { ofExplanation, ofPrediction, ofTimeline } from "./view.js";
import { Viewer } from "./viewer.js";

const TOKEN = "textmsa-token";
let model = null; // what /v1/model says
let chosen = null; // { file } or { sample }
let asking = null; // the AbortController of the request that runs
let shown = []; // { viewer, address }, two where clips are compared
let current = null; // the viewer that keys mean
let stopRecording = null;
let listens = false; // what the box says that has what is said recognised, where no words are given

// One request, with the token; asks for one where it is needed.
async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { ...options, headers });
  if (answer.status !== 401) return answer;
  await askForToken();
  return ask(path, options);
}

function askForToken() {
  const dialog = by("ask");
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(TOKEN, by("token").value.replace(/[^\x20-\x7e]/g, "")); // no header carries others, and fetch would fail
      resolve();
    }, { once: true }));
}

async function begin() {
  const answer = await ask("/v1/model");
  model = await answer.json();
  by("model-line").textContent = `Trained on ${model.corpus}; scores from ${model.score_range.map(signedEnd).join(" to ")}`;
  by("card-text").replaceChildren(...markdown(model.card || "This model has no card."));
  listens = model.needs_words && model.can_transcribe; // nothing else can be scored
  offerToListen();
  by("transcribe").parentElement.title = model.can_transcribe ? "" : "The server has no speech recognition: pip install 'textmsa[speech]'";
  const { samples } = await (await ask("/v1/samples")).json();
  const list = by("sample");
  list.hidden = !samples.length;
  list.append(el("option", { value: "", text: "Or one of the server\u2019s" }), ...samples.map((name) => el("option", { value: name, text: name })));
}

// Words that are given need no recognising; what was ticked comes back when they are taken out.
function offerToListen() {
  const given = Boolean(by("words").value.trim()), box = by("transcribe");
  box.disabled = given || !model?.can_transcribe;
  box.checked = listens && !given;
}

// Why a clip has no score, with what can be done on this page.
function whyNot(reason) {
  const [why, more] = reason.replace(/^clip: /, "").split("; give what is said");
  const tick = model.can_transcribe && !by("transcribe").checked ? ", or tick \u201cRecognise what is said\u201d" : "";
  return more === undefined ? why : `${why}. Type what is said${tick}.`;
}

function say(text, bad = false) {
  by("status").textContent = text;
  by("status").classList.toggle("warning", bad);
}

async function choose(what) {
  if (what.file && /\.(srt|vtt)$/i.test(what.file.name)) {
    by("words").value = await what.file.text();
    by("words").dispatchEvent(new Event("input"));
    by("long").checked = true;
    if (check()) say("Subtitles, for every utterance of a long video.");
    return;
  }
  chosen = what;
  by("chosen").textContent = what.file ? `${what.file.name} (${(what.file.size / 1e6).toFixed(1)} MB)` : what.sample;
  if (what.file) by("sample").value = "";
  if (check() && !asking) say("");
}

// Lets what is chosen be sent, or says why it cannot; a long video may be larger than a clip.
function check() {
  const { file } = chosen ?? {};
  const most = model?.limits[by("long").checked ? "job_megabytes" : "megabytes"] ?? Infinity;
  const size = file ? file.size / 1e6 : 0;
  const why = file && !file.size ? "the file is empty" : size > most ? `${size.toFixed(size < most + 1 ? 1 : 0)} MB, at most ${most} MB are allowed` : "";
  by("score").disabled = !chosen || Boolean(why) || Boolean(asking);
  if (why && !asking) say(`This clip cannot be sent: ${why}`, true);
  return !why;
}

function form(what, fields) {
  const data = new FormData();
  const words = by("words").value.trim();
  if (words) data.append("text", words);
  else if (by("transcribe").checked) data.append("transcribe", "true");
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  if (what.sample) data.append("sample", what.sample);
  else data.append("clip", what.file, "clip");
  return data;
}

async function score(event) {
  event.preventDefault();
  if (!chosen || asking) return;
  const what = chosen; // another may be chosen before the answer comes
  const started = performance.now();
  const tick = () => say(`Looking and listening \u2026 ${((performance.now() - started) / 1000).toFixed(0)} s`);
  if (by("long").checked) {
    await working(() => analyze(what));
    return;
  }
  const ticking = setInterval(tick, 1000);
  tick();
  await working(async () => {
    const view = await answered(what);
    if (!view) return;
    show(view, await media(what));
    say(view.prediction ? `${inWords(view.prediction)}.` : `No score: ${view.why}`);
  }).finally(() => clearInterval(ticking));
}

// One thing at a time, which can be cancelled; what goes wrong is said.
async function working(work) {
  asking = new AbortController();
  by("score").disabled = true;
  by("cancel").hidden = false;
  try {
    await work();
  } catch (error) {
    const lost = error instanceof TypeError; // fetch's word for a line that is cut
    say(error.name === "AbortError" ? "Cancelled." : lost ? "The server cannot be reached; is it still running?" : error.message, error.name !== "AbortError");
  } finally {
    asking = null;
    check();
    by("cancel").hidden = true;
  }
}

// Every utterance of a long video, as a job of the server.
async function analyze({ file, sample }) {
  const data = new FormData();
  const words = by("words").value;
  if (jobs.SUBTITLES.test(words)) data.append("subtitles", words);
  else data.append("transcribe", "true");
  if (sample) data.append("sample", sample);
  else data.append("clip", file, "clip");
  say("Sending \u2026");
  const { id } = await jobs.begin(ask, data, asking.signal);
  history.replaceState(null, "", `#${id}`);
  await fetched(id, await media({ file, sample }), file?.name ?? sample);
}

// Follows a job to its end and shows it; `film` null where the page was opened again without it.
async function fetched(id, film, name) {
  const { signal } = asking;
  signal.addEventListener("abort", () => {
    jobs.cancel(ask, id).catch(() => {});
    history.replaceState(null, "", location.pathname);
  });
  const timeline = await jobs.follow(ask, id, signal, say);
  if (name) timeline.file = name;
  show(ofTimeline(timeline), film);
  say(`${timeline.counts.scored} utterances scored${timeline.counts.failed ? `, ${timeline.counts.failed} not` : ""}.`);
}

const media = async ({ file, sample }) => file ?? (await (await ask(`/v1/samples/${sample.split("/").map(encodeURIComponent).join("/")}`)).blob());

// The clip scored; where that cannot be, as where nobody speaks, what voice and face express; null where neither can be.
async function answered(what) {
  const name = what.file?.name ?? what.sample;
  const send = (path, fields) => ask(path, { method: "POST", body: form(what, fields), signal: asking.signal });
  const answer = await send("/v1/predict", { contributions: "all", tracks: "true" });
  const document_ = await answer.json();
  if (answer.ok) return ofPrediction(document_, name);
  if (answer.status === 422 && /words|nobody|no speech/.test(document_.reason)) {
    say("No score; looking at voice and face \u2026");
    const explained = await send("/v1/explain", {});
    if (explained.ok) return ofExplanation(await explained.json(), whyNot(document_.reason), name);
  }
  const wait = answer.headers.get("Retry-After");
  say(document_.reason + (wait ? `; try again in ${wait} s` : ""), true);
  return null;
}

function show(view, film) {
  const beside = by("beside").checked && shown.length;
  for (const one of beside ? shown.splice(0, shown.length - 1) : shown.splice(0)) forget(one);
  const address = film && URL.createObjectURL(film);
  const heard = "video" in view.missing && !/^no face|too little/.test(view.missing.video);
  const viewer = new Viewer(view, { address, heard, title: view.name || "A clip" });
  shown.push({ viewer, address });
  const result = by("result");
  result.hidden = false;
  result.classList.toggle("two", shown.length > 1);
  const sums = shown.length > 1 ? versus(shown[0].viewer.view, view) : null;
  result.replaceChildren(...(sums ? [sums] : []), ...shown.map((one) => one.viewer.element));
  viewer.draw();
  current = viewer;
  for (const name of ["pointerdown", "focusin"]) viewer.element.addEventListener(name, () => (current = viewer));
  by("beside").parentElement.hidden = false;
}

function forget({ viewer, address }) {
  viewer.remove();
  if (address) URL.revokeObjectURL(address);
}

async function toggleRecording() {
  if (stopRecording) {
    stopRecording();
    return;
  }
  try {
    stopRecording = await record(by("preview"), (file) => {
      stopRecording = null;
      by("record").textContent = "Record";
      choose({ file });
    });
    by("record").textContent = "Stop recording";
  } catch (error) {
    say(`Nothing can be recorded: ${error.message}`, true);
  }
}

function wire() {
  by("form").addEventListener("submit", score);
  by("cancel").addEventListener("click", () => asking?.abort());
  by("file").addEventListener("change", (event) => event.target.files[0] && choose({ file: event.target.files[0] }));
  by("sample").addEventListener("change", (event) => event.target.value && choose({ sample: event.target.value }));
  by("long").addEventListener("change", () => check() && by("status").classList.contains("warning") && say(""));
  by("record").addEventListener("click", toggleRecording);
  by("record").hidden = !(navigator.mediaDevices && window.MediaRecorder);
  by("words").addEventListener("input", offerToListen);
  by("transcribe").addEventListener("change", (event) => (listens = event.target.checked));
  const drop = by("drop");
  for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over-it"); });
  for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => drop.classList.remove("over-it"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length > 1) say("Drop one clip at a time.", true);
    else if (event.dataTransfer.files[0]) choose({ file: event.dataTransfer.files[0] });
  });
  const help = () => by("help").showModal();
  by("keys").append(...KEYS.flatMap(([keys, what]) => [el("dt", { text: keys }), el("dd", { text: what })]));
  by("open-card").addEventListener("click", () => by("card").showModal());
  by("open-help").addEventListener("click", help);
  for (const button of document.querySelectorAll("dialog .close")) button.addEventListener("click", () => button.closest("dialog").close());
  document.addEventListener("keydown", (event) => press(event, current, help) && event.preventDefault());
}

wire();
begin()
  .then(() => /^#[\w-]{8,}$/.test(location.hash) && working(() => fetched(location.hash.slice(1), null, null)))
  .catch(() => say("The server cannot be reached; is it still running?", true));
