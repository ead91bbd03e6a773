// Rating: one clip at a time, by keys or by hand. What is said goes to this machine's server, and is kept there at once.

import { by, el, seconds } from "/page/dom.js";

const WORDS = ["strongly negative", "negative", "weakly negative", "neutral", "weakly positive", "positive", "strongly positive"];
const KEYS = [
  ["Space, K", "play or pause"],
  ["R", "again from the beginning"],
  ["0 1 2 3 \u2026", "rate 0, +1, +2, +3"],
  ["\u2212 then 1 2 3 \u2026", "rate \u22121, \u22122, \u22123 (so does Shift with the digit)"],
  ["\u2190 \u2192, Enter", "choose on the scale, and rate"],
  ["Backspace, U", "take the last rating back"],
  ["S", "skip a clip that cannot be rated"],
  ["T", "show or hide the words, where they are known"],
  ["?", "these keys"],
];
const NAME = "textmsa label: name";
const SESSION = "textmsa label: session";
const video = by("video");

let scores = [];
let state = null; // what the server said last
let chosen = null; // the score that is marked on the scale
let minus = false; // a minus was typed
let busy = false;
let shown = 0; // when the clip was shown (ms)

class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

async function ask(path, document_) {
  const options = document_ && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(document_) };
  const answer = await fetch(path, options).catch(() => {
    throw new Refused(0, "The server does not answer. What was rated is kept: start textmsa label again, and reload this page.");
  });
  if (answer.status === 204) return null;
  const told = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, told.reason);
  return told;
}

function say(text) {
  by("status").textContent = text;
}

function show(view) {
  for (const id of ["begin", "rating", "done"]) by(id).hidden = id !== view;
}

const written = (score) => (score > 0 ? `+${score}` : score < 0 ? `\u2212${-score}` : "0");

function called(score) {
  return scores.length === 7 && scores[0] === -3 ? `${written(score)}, ${WORDS[score + 3]}` : written(score);
}

function drawScale() {
  by("scale").replaceChildren(
    ...scores.map((score) =>
      el("button", {
        type: "button", text: written(score), "aria-label": called(score), "aria-pressed": "false",
        class: score < 0 ? "below" : score > 0 ? "above" : "middle", "data-score": score, onclick: () => rate(score),
      }),
    ),
  );
}

function choose(score) {
  chosen = score;
  for (const button of by("scale").children) button.setAttribute("aria-pressed", String(Number(button.dataset.score) === score));
}

function remaining(left) {
  if (left == null) return "";
  return left < 90 ? "about a minute left" : `about ${Math.round(left / 60)} minutes left`;
}

function draw(told, { quiet = false } = {}) {
  state = told;
  sessionStorage.setItem(SESSION, told.session);
  by("count").textContent = `${told.done} of ${told.of} rated`;
  by("remaining").textContent = remaining(told.seconds_left);
  by("who").textContent = told.name;
  by("progress").max = Math.max(told.of, 1);
  by("progress").value = told.done;
  by("undo").disabled = !told.can_undo;
  by("undo-last").disabled = !told.can_undo;
  minus = false;
  choose(null);
  if (!told.clip) {
    stop();
    show("done");
    by("another").focus();
    return;
  }
  show("rating");
  if (!quiet) say("");
  place(told.clip);
}

function place(clip) {
  delete by("stage").dataset.played;
  shown = performance.now();
  by("stage").focus({ preventScroll: true }); // else a button that was clicked would take the next Space
  by("stage").classList.toggle("sound", clip.only_sound);
  by("only-sound").hidden = !clip.only_sound;
  by("words").textContent = clip.words ?? "";
  by("show-words").disabled = !clip.words;
  showWords(false);
  video.src = `/v1/clips/${clip.key}`;
  if (by("at-once").checked) play();
}

function stop() {
  video.pause();
  video.removeAttribute("src");
  video.load();
}

function play() {
  video.play().catch((error) => {
    if (error.name === "NotAllowedError") say("Press Space to play the clip.");
  });
}

function toggle() {
  if (video.paused || video.ended) play();
  else video.pause();
}

function showWords(on) {
  by("words").hidden = !on;
  by("show-words").setAttribute("aria-pressed", String(on));
}

async function once(doing) {
  if (busy) return;
  busy = true;
  try {
    await doing();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 410) await begin(`${error.message}.`);
    else say(error.message);
  } finally {
    busy = false;
  }
}

async function send(score) {
  const told = { session: state.session, clip: state.clip.key, round: state.clip.round, score };
  const answer = await ask("/v1/ratings", { ...told, seconds: (performance.now() - shown) / 1000 });
  draw(answer, { quiet: true });
  say(score == null ? "Skipped." : `Rated ${called(score)}.`);
}

function rate(score) {
  if (!state?.clip || by("rating").hidden) return;
  if (!by("stage").dataset.played) {
    choose(score);
    say(video.error ? cannot : "Play the clip first: Space.");
    return;
  }
  choose(score);
  once(() => send(score));
}

const cannot = "The clip cannot be played here: skip it (S).";

function skip() {
  if (state?.clip && !by("rating").hidden) once(() => send(null));
}

function undo() {
  if (!state?.can_undo || !by("begin").hidden) return;
  once(async () => {
    const told = await ask("/v1/undo", { session: state.session });
    draw(told, { quiet: true });
    choose(told.taken);
    say(told.taken == null ? "Taken back." : `Taken back; it was ${called(told.taken)}.`);
  });
}

// A name that is given while the list of raters is still on its way counts as soon as it is there.
async function later(doing) {
  while (busy) await new Promise((go) => setTimeout(go, 20));
  await once(doing);
}

async function open(name, takeOver) {
  const before = sessionStorage.getItem(SESSION);
  by("take-over").hidden = true;
  try {
    const told = await ask("/v1/sessions", { name, take_over: takeOver, before });
    sessionStorage.setItem(NAME, told.name);
    draw(told);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    by("take-over").hidden = error.status !== 409;
    show("begin");
    say(error.message);
  }
}

async function begin(told = "") {
  stop();
  state = null;
  sessionStorage.clear();
  show("begin");
  try {
    const desk = await ask("/v1/desk");
    scores = desk.scores;
    drawScale();
    by("corpus-line").textContent = `${desk.corpus}: ${desk.clips} clips`;
    by("raters").replaceChildren(
      ...desk.raters.map((rater) =>
        el("li", {}, el("button", {
          type: "button", text: `${rater.name}: ${rater.done} of ${rater.of}`, dir: "auto",
          onclick: () => { by("name").value = rater.name; once(() => open(rater.name, false)); },
        })),
      ),
    );
    say(told);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
  }
  by("name").focus();
}

async function leave() {
  if (state) await ask("/v1/sessions/end", { session: state.session }).catch(() => null);
  await begin();
}

function digit(event) {
  const found = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (found && !(event.code.startsWith("Digit") && !event.shiftKey && !/^\d$/.test(event.key))) return Number(found[1]);
  return /^\d$/.test(event.key) ? Number(event.key) : null;
}

function move(step) {
  const middle = scores[Math.floor(scores.length / 2)];
  choose(chosen == null ? middle : Math.max(scores[0], Math.min(scores.at(-1), chosen + step)));
  say(called(chosen));
}

// What a key does; returns whether it did something.
function press(event) {
  if (event.metaKey || event.altKey || event.target.closest("dialog, input[type=text]")) return false;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey) {
    if (key === "z") undo();
    return key === "z";
  }
  if (key === "?") return by("help").showModal(), true;
  if (key === "Backspace" || key === "u") return undo(), true;
  if (by("rating").hidden) return false;
  const number = digit(event);
  if (number != null) {
    const score = number && (minus || event.shiftKey) ? -number : number;
    minus = false;
    if (scores.includes(score)) rate(score);
    else say(`${written(score)} is not on the scale.`);
  } else if (key === "-" || key === "\u2212" || event.code === "NumpadSubtract") {
    minus = !minus;
    say(minus ? "\u2212 \u2026" : "");
  } else if (key === "k" || (key === " " && !event.target.matches("button, input"))) toggle();
  else if (key === "r") { video.currentTime = 0; play(); }
  else if (key.startsWith("Arrow") && event.target.matches("input[type=range]")) return false; // the player's position
  else if (key === "ArrowLeft") move(-1);
  else if (key === "ArrowRight") move(1);
  else if (key === "Enter" && chosen != null && !event.target.matches("button, a")) rate(chosen);
  else if (key === "s") skip();
  else if (key === "t") { if (state.clip.words) showWords(by("words").hidden); }
  else return false;
  return true;
}

function follow() {
  const length = Number.isFinite(video.duration) ? video.duration : 0;
  by("position").max = length || 1;
  by("position").value = video.currentTime;
  by("position").setAttribute("aria-valuetext", `${seconds(video.currentTime)} of ${seconds(length)}`);
  by("time").textContent = `${video.currentTime.toFixed(1)} / ${seconds(length)}`;
  const playing = !video.paused && !video.ended;
  by("play").textContent = playing ? "\u2016" : "\u25B6";
  by("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

for (const name of ["play", "pause", "ended", "timeupdate", "seeked", "loadedmetadata"]) video.addEventListener(name, follow);
video.addEventListener("playing", () => { by("stage").dataset.played = "yes"; });
video.addEventListener("error", () => { if (state?.clip && video.getAttribute("src")) say(cannot); });
by("position").addEventListener("input", () => { video.currentTime = Number(by("position").value); });
by("play").addEventListener("click", toggle);
by("show-words").addEventListener("click", () => showWords(by("words").hidden));
by("undo").addEventListener("click", undo);
by("undo-last").addEventListener("click", undo);
by("skip").addEventListener("click", skip);
by("pause").addEventListener("click", () => once(leave));
by("another").addEventListener("click", () => once(leave));
by("take-over").addEventListener("click", () => once(() => open(by("name").value, true)));
by("name").addEventListener("input", () => { by("take-over").hidden = true; });
by("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  later(() => open(by("name").value, false));
});
by("open-help").addEventListener("click", () => by("help").showModal());
by("close-help").addEventListener("click", () => by("help").close());
by("keys").replaceChildren(...KEYS.flatMap(([keys, what]) => [el("dt", { text: keys }), el("dd", { text: what })]));
addEventListener("keydown", (event) => { if (press(event)) event.preventDefault(); });
addEventListener("pagehide", () => {
  if (!state) return;
  const body = JSON.stringify({ session: state.session });
  fetch("/v1/sessions/end", { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true });
});

const name = sessionStorage.getItem(NAME);
const session = sessionStorage.getItem(SESSION);
await begin();
if (name) {
  sessionStorage.setItem(SESSION, session);
  by("name").value = name;
  await once(() => open(name, false));
}
