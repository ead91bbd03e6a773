// The page: choose a clip, have it scored, look at the answer.

import { Clock } from "./clock.js";
import { by, el } from "./dom.js";
import * as files from "./exports.js";
import { inWords, panel, told } from "./panel.js";
import { KEYS, controls, press } from "./player.js";
import { record } from "./record.js";
import { Tracks } from "./tracks.js";

const TOKEN = "textmsa-token";
let model = null; // what /v1/model says
let chosen = null; // { file } or { sample }
let asking = null; // the AbortController of the request that runs
let shown = null; // { clock, tracks, mute, address }
let stopRecording = null;

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
      sessionStorage.setItem(TOKEN, by("token").value);
      resolve();
    }, { once: true }));
}

async function begin() {
  const answer = await ask("/v1/model");
  model = await answer.json();
  by("model-line").textContent = `Trained on ${model.corpus}; scores from ${model.score_range[0]} to ${model.score_range[1]}`;
  by("card-text").textContent = model.card || "This model has no card.";
  by("transcribe").disabled = !model.can_transcribe;
  by("transcribe").checked = model.needs_words && model.can_transcribe; // nothing else can be scored
  by("transcribe").parentElement.title = model.can_transcribe ? "" : "The server has no speech recognition: pip install 'textmsa[speech]'";
  const { samples } = await (await ask("/v1/samples")).json();
  const list = by("sample");
  list.hidden = !samples.length;
  list.append(el("option", { value: "", text: "Or one of the server\u2019s" }), ...samples.map((name) => el("option", { value: name, text: name })));
}

function say(text, bad = false) {
  by("status").textContent = text;
  by("status").classList.toggle("warning", bad);
}

function choose(what) {
  chosen = what;
  const most = model?.limits.megabytes ?? Infinity;
  const size = what.file ? what.file.size / 1e6 : 0;
  const name = what.file ? what.file.name : what.sample;
  by("chosen").textContent = what.file ? `${name} (${size.toFixed(1)} MB)` : name;
  const why = what.file && !what.file.size ? "the file is empty" : size > most ? `${size.toFixed(0)} MB, at most ${most} MB are allowed` : "";
  by("score").disabled = Boolean(why);
  say(why ? `This clip cannot be sent: ${why}` : "", Boolean(why));
  if (what.file) by("sample").value = "";
}

function form() {
  const data = new FormData();
  const words = by("words").value.trim();
  if (words) data.append("text", words);
  else if (by("transcribe").checked) data.append("transcribe", "true");
  data.append("contributions", "all");
  data.append("tracks", "true");
  if (chosen.sample) data.append("sample", chosen.sample);
  else data.append("clip", chosen.file, "clip");
  return data;
}

async function score(event) {
  event.preventDefault();
  if (!chosen || asking) return;
  asking = new AbortController();
  by("score").disabled = true;
  by("cancel").hidden = false;
  const started = performance.now();
  const tick = () => say(`Looking and listening \u2026 ${((performance.now() - started) / 1000).toFixed(0)} s`);
  const ticking = setInterval(tick, 1000);
  tick();
  try {
    const answer = await ask("/v1/predict", { method: "POST", body: form(), signal: asking.signal });
    const document_ = await answer.json();
    if (!answer.ok) {
      const wait = answer.headers.get("Retry-After");
      say(document_.reason + (wait ? `; try again in ${wait} s` : ""), true);
      return;
    }
    const media = chosen.file ?? (await (await ask(`/v1/samples/${chosen.sample.split("/").map(encodeURIComponent).join("/")}`)).blob());
    show(document_, media);
    say(`${inWords(document_)}.`);
  } catch (error) {
    say(error.name === "AbortError" ? "Cancelled." : "The server cannot be reached; is it still running?", error.name !== "AbortError");
  } finally {
    clearInterval(ticking);
    asking = null;
    by("score").disabled = false;
    by("cancel").hidden = true;
  }
}

function show(prediction, media) {
  if (shown) {
    shown.tracks.remove();
    shown.clock.stop();
    URL.revokeObjectURL(shown.address);
  }
  const address = URL.createObjectURL(media);
  const pictures = !("video" in prediction.missing) || /^no face|too little/.test(prediction.missing.video);
  const video = el("video", { src: address, playsinline: true, preload: "auto", "aria-label": "The clip", class: pictures ? "" : "heard" });
  const clock = new Clock(video, prediction.tracks.duration);
  const { bar, mute } = controls(clock);
  const tracks = new Tracks(clock, prediction);
  const cannot = el("p", { class: "warning", role: "note", hidden: true });
  const tell = (what) => {
    cannot.textContent = `This browser cannot ${what}; the tracks still tell of it.`;
    cannot.hidden = false;
  };
  video.addEventListener("error", () => tell("play this file"));
  video.addEventListener("loadedmetadata", () => {
    if (pictures && !video.videoWidth) tell("show the pictures of this file");
    video.classList.toggle("heard", !video.videoWidth);
  });
  video.addEventListener("click", () => clock.toggle());
  by("result").hidden = false;
  by("watch").replaceChildren(el("div", { class: "stage" }, video, bar), cannot, tracks.element);
  by("panel").replaceChildren(...panel(prediction), keep(prediction, tracks));
  by("told").replaceChildren(told(prediction, tracks.text()));
  tracks.draw();
  shown = { clock, tracks, mute, address, prediction };
}

function keep(prediction, tracks) {
  const button = (name, make) => el("button", { type: "button", text: name, onclick: async () => files.save(`clip.${name.toLowerCase()}`, await make()) });
  return el(
    "section", { class: "box" }, el("h2", { text: "Keep" }),
    el("div", { class: "row" }, button("JSON", () => files.json(prediction)), button("CSV", () => files.csv(prediction)), button("PNG", () => files.png(prediction, tracks))),
  );
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
  by("record").addEventListener("click", toggleRecording);
  by("record").hidden = !(navigator.mediaDevices && window.MediaRecorder);
  by("words").addEventListener("input", () => (by("transcribe").disabled = Boolean(by("words").value.trim()) || !model?.can_transcribe));
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
  document.addEventListener("keydown", (event) => press(event, shown?.clock, () => shown?.mute(), help) && event.preventDefault());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown?.tracks.recolour());
}

wire();
begin().catch(() => say("The server cannot be reached; is it still running?", true));
