// A clip, or a long file, to look at: the player over its tracks, what counted beside it, what is said below.

import { Clock } from "./clock.js";
import { el } from "./dom.js";
import * as files from "./exports.js";
import { missing, panel, told, unscored, utterance, whole } from "./panel.js";
import { controls } from "./player.js";
import { Tracks } from "./tracks.js";
import { Transcript, spoken } from "./transcript.js";
import { utteranceAt } from "./view.js";

export class Viewer {
  // `address` of the film or sound, null where there is none; `heard`: it has no pictures; `name` of files to keep.
  constructor(view, { address = null, heard = false, name = "clip", title = null } = {}) {
    this.view = view;
    this.name = name;
    this.heard = heard;
    this.video = el("video", { src: address, playsinline: true, preload: address ? "auto" : "none", "aria-label": "The clip", class: heard ? "heard" : "" });
    this.clock = new Clock(this.video, view.duration);
    const { bar, mute } = controls(this.clock);
    this.bar = bar;
    this.mute = mute;
    this.tracks = view.duration ? new Tracks(this.clock, view) : null;
    this.cannot = el("p", { class: "warning", role: "note", hidden: true });
    this.watch = el("section", { class: "watch", "aria-label": title ? `${title}: player and tracks` : "Clip and tracks" }, el("div", { class: "stage" }, this.video, bar), this.cannot, this.tracks?.element);
    this.panel = el("aside", { class: "panel", "aria-label": title ? `${title}: score` : "Score" });
    this.told = el("section", { class: "told", "aria-label": title ? `${title}: in words` : "In words" });
    this.element = el("div", { class: "viewer" }, title && el("h2", { class: "title", text: title, dir: "auto" }), this.watch, this.panel, this.told);
    this.listen();
    if (!address) this.lost("No film or sound lies beside this page");
  }

  // Draws it; the element must be in the page.
  draw() {
    const { view } = this;
    if (view.about) this.long();
    else if (view.prediction) {
      this.panel.append(...panel(view.prediction), this.keep());
      this.told.append(told(view.prediction, spoken(view.words, this.clock)));
    } else {
      this.panel.append(view.why ? unscored(view) : "", missing(view.explained), this.keep());
      this.told.append(told(view.explained, spoken(view.words, this.clock)));
    }
    this.tracks?.draw();
  }

  long() {
    const { view } = this;
    const transcript = new Transcript(view, this.clock);
    const now = el("div", { class: "now" });
    this.panel.append(...whole(view, this.clock).filter(Boolean), now, this.keep());
    this.told.append(transcript.element);
    let shown;
    const follow = () => {
      const one = utteranceAt(view, this.clock.now);
      if (one === shown) return;
      shown = one;
      transcript.mark(one);
      now.replaceChildren(...utterance(view, one).filter(Boolean));
    };
    this.clock.addEventListener("time", follow);
    const first = view.utterances.find((one) => one.prediction);
    if (first && this.clock.now === 0) this.clock.seek(first.start + 1e-3);
    follow();
  }

  listen() {
    const { video, clock } = this;
    video.addEventListener("error", () => this.lost("This browser cannot play the file, or it is not there"));
    video.addEventListener("loadedmetadata", () => {
      if (!clock.duration && Number.isFinite(video.duration)) clock.duration = video.duration; // nothing was measured of it
      clock.tell("time");
      if (!this.heard && !video.videoWidth) this.tell("This browser cannot show the pictures of this file; the tracks still tell of it.");
      video.classList.toggle("heard", !video.videoWidth);
    });
    video.addEventListener("click", () => clock.toggle());
  }

  tell(text, ...more) {
    this.cannot.replaceChildren(text, ...more);
    this.cannot.hidden = false;
  }

  // Without a film the tracks are there all the same, and one can be chosen.
  lost(why) {
    this.clock.lose();
    this.video.classList.add("heard");
    const choice = el("input", { type: "file", accept: "video/*,audio/*", "aria-label": "Choose the film or sound", onchange: () => choice.files[0] && this.play(choice.files[0]) });
    this.tell(`${why}; the tracks still tell of it. `, choice);
  }

  play(file) {
    this.cannot.hidden = true;
    if (this.own) URL.revokeObjectURL(this.own);
    this.own = URL.createObjectURL(file);
    this.clock.find(this.own);
    this.video.classList.toggle("heard", this.heard);
  }

  // To the utterance before (-1) or after (1) the moment.
  step(way) {
    const { utterances } = this.view, now = this.clock.now;
    const one = way > 0 ? utterances.find((any) => any.start > now + 0.01) : utterances.findLast((any) => any.start < now - 0.3);
    if (one) this.clock.seek(one.start + 1e-3);
  }

  // A window's beginning (0) or end (1) is set to the moment.
  bound(end) {
    if (!this.tracks) return;
    const [from, to] = this.tracks.window ?? [0, this.view.duration];
    this.tracks.choose(end ? [Math.min(from, this.clock.now), this.clock.now] : [this.clock.now, Math.max(to, this.clock.now)]);
  }

  keep() {
    const { view, tracks, name } = this;
    const button = (text, make, ending = text.toLowerCase()) => el("button", { type: "button", text, onclick: async () => files.save(`${name}.${ending}`, await make()) });
    const said = view.utterances.length ? [button("SRT", () => files.srt(view)), button("ELAN", () => files.eaf(view), "eaf")] : [];
    const drawn = tracks ? [button("CSV", () => files.csv(view)), ...said, button("PNG", () => files.png(view, tracks))] : [];
    return el("section", { class: "box" }, el("h2", { text: "Keep" }), el("div", { class: "row" }, button("JSON", () => files.json(view)), ...drawn));
  }

  remove() {
    this.tracks?.remove();
    this.clock.stop();
    if (this.own) URL.revokeObjectURL(this.own);
    this.element.remove();
  }
}
