// The time that the player and all tracks share.
// Events: "time" (the moment shown has changed), "hover" (a moment is pointed at, or none), "play" (it plays, or not).

export class Clock extends EventTarget {
  constructor(video, duration) {
    super();
    this.video = video;
    this.duration = duration;
    this.playable = true;
    this.still = 0; // the moment, where the browser cannot play the file
    this.pointed = null;
    this.frame = 0;
    this.jumped = false; // whether it is told of a moment that somebody chose
    const told = () => this.tell("play");
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, told);
    video.addEventListener("play", () => this.run());
    video.addEventListener("seeked", () => this.tell("time"));
  }

  get now() {
    return Math.min(this.playable ? this.video.currentTime : this.still, this.duration);
  }

  get playing() {
    return this.playable && !this.video.paused && !this.video.ended;
  }

  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  run() {
    cancelAnimationFrame(this.frame);
    const step = () => {
      this.tell("time");
      if (this.playing) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  seek(time) {
    const within = Math.max(0, Math.min(time, this.duration));
    if (this.playable) this.video.currentTime = within;
    this.still = within;
    this.jumped = true;
    this.tell("time");
    this.jumped = false;
  }

  point(time) {
    this.pointed = time;
    this.tell("hover");
  }

  toggle() {
    if (!this.playable) return;
    if (this.playing) this.video.pause();
    else this.video.play().catch(() => this.tell("play"));
  }

  // Nothing can be played: the moment is still shared.
  lose() {
    this.still = this.playable ? this.video.currentTime : this.still;
    this.playable = false;
    this.tell("play");
  }

  // A film after all.
  find(address) {
    const at = this.now;
    this.playable = true;
    this.video.src = address;
    this.video.currentTime = at;
    this.tell("play");
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
