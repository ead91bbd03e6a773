// The clip with a bar of controls of our own, and the keys.

import { el, moment } from "./dom.js";

export const KEYS = [
  ["Space, K", "play or pause", [" ", "k"]],
  ["\u2190 \u2192", "half a second back or on"],
  ["J, L", "two seconds back or on"],
  [", .", "a tenth of a second back or on"],
  ["Home, End", "to the beginning or the end"],
  ["Shift \u2190 \u2192", "to the utterance before or after"],
  ["[ ]", "sum up from here, or to here; Escape: no more"],
  ["+ \u2212 0", "show less of the clip, more, the whole"],
  ["M", "sound off or on"],
  ["?", "these keys"],
];
const STEPS = { ArrowLeft: -0.5, ArrowRight: 0.5, j: -2, l: 2, ",": -0.1, ".": 0.1 };

export function controls(clock) {
  const play = el("button", { type: "button", class: "play", "aria-label": "Play", text: "\u25B6", onclick: () => clock.toggle() });
  const position = el("input", {
    type: "range", min: 0, max: clock.duration, step: 0.05, value: 0, "aria-label": "Position in the clip",
    oninput: () => clock.seek(Number(position.value)),
  });
  const shown = el("output", { class: "time" });
  const sound = el("button", { type: "button", "aria-label": "Sound", "aria-pressed": "true", text: "\u266A", onclick: () => mute() });
  const speed = el(
    "select", { "aria-label": "Speed", onchange: () => (clock.video.playbackRate = Number(speed.value)) },
    ...["0.5", "1", "1.5", "2"].map((rate) => el("option", { value: rate, selected: rate === "1", text: `${rate}\u00D7` })),
  );

  function mute() {
    clock.video.muted = !clock.video.muted;
    sound.setAttribute("aria-pressed", String(!clock.video.muted));
  }

  function update() {
    position.max = clock.duration;
    position.value = clock.now;
    position.setAttribute("aria-valuetext", `${moment(clock.now, clock.duration)} of ${moment(clock.duration, clock.duration)}`);
    shown.textContent = `${moment(clock.now, clock.duration)} / ${moment(clock.duration, clock.duration)}`;
  }

  clock.addEventListener("time", update);
  clock.addEventListener("play", () => {
    play.textContent = clock.playing ? "\u2016" : "\u25B6";
    play.setAttribute("aria-label", clock.playing ? "Pause" : "Play");
    play.disabled = !clock.playable;
  });
  update();
  return { bar: el("div", { class: "controls", role: "group", "aria-label": "Player" }, play, position, shown, sound, speed), mute };
}

// What a key does to a viewer; returns whether it did something.
export function press(event, viewer, help) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const on = event.target;
  if (on.matches("textarea, select, input:not([type=range]):not([type=checkbox])")) return false;
  if (on.closest("dialog")) return false;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "?") help();
  else if (!viewer) return false;
  else return seeks(event, key, viewer) || shows(key, viewer);
  return true;
}

function seeks({ target: on, shiftKey }, key, viewer) {
  const { clock } = viewer;
  if (key === "k" || (key === " " && !on.matches("button, input, summary, label"))) clock.toggle();
  else if (shiftKey && (key === "ArrowLeft" || key === "ArrowRight")) viewer.step(key === "ArrowRight" ? 1 : -1);
  else if (key in STEPS && !on.matches(".scroller")) clock.seek(clock.now + STEPS[key]);
  else if (key === "Home") clock.seek(0);
  else if (key === "End") clock.seek(clock.duration);
  else return false;
  return true;
}

function shows(key, viewer) {
  const { tracks } = viewer;
  if (key === "m") viewer.mute();
  else if (key === "[") viewer.bound(0);
  else if (key === "]") viewer.bound(1);
  else if (key === "Escape" && tracks?.window) tracks.choose(null);
  else if ((key === "+" || key === "=") && tracks) tracks.zoom(0.5);
  else if (key === "-" && tracks) tracks.zoom(2);
  else if (key === "0" && tracks) tracks.span.show(0, viewer.clock.duration);
  else return false;
  return true;
}
