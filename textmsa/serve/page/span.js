// The part of a clip that the tracks show. Event: "change".

const SHORTEST = 1; // s

export class Span extends EventTarget {
  constructor(duration) {
    super();
    this.duration = duration;
    this.from = 0;
    this.to = duration;
  }

  get wide() {
    return this.to - this.from;
  }

  get whole() {
    return this.wide >= this.duration - 1e-6;
  }

  // Where a time stands, 0 at the left edge and 1 at the right.
  share(time) {
    return this.wide ? (time - this.from) / this.wide : 0;
  }

  show(from, to) {
    const wide = Math.max(Math.min(SHORTEST, this.duration), Math.min(to - from, this.duration));
    const start = Math.max(0, Math.min(from, this.duration - wide));
    if (start === this.from && start + wide === this.to) return;
    this.from = start;
    this.to = start + wide;
    this.dispatchEvent(new Event("change"));
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    const wide = Math.max(SHORTEST, Math.min(this.wide * factor, this.duration));
    const from = around - this.share(around) * wide;
    this.show(from, from + wide);
  }

  pan(time) {
    this.show(this.from + time, this.to + time);
  }

  // Turns the page where a time is not on it.
  reveal(time) {
    if (time < this.from || time > this.to) this.show(time - 0.1 * this.wide, time + 0.9 * this.wide);
  }
}
