// The simulator's time: moves at `factor` times the real one and can be put forward. Everything that ends
// (tokens, codes, rate windows, transitions of projects) ends by this clock.
export class Clock {
  constructor() { this.reset(); }

  reset() {
    this.base = Date.now();
    this.since = this.base;
    this.factor = 1;
  }

  now() { return Math.floor(this.base + (Date.now() - this.since) * this.factor); }

  advance(seconds) {
    this.base = this.now() + seconds * 1000;
    this.since = Date.now();
  }

  run(factor) {
    this.base = this.now();
    this.since = Date.now();
    this.factor = factor;
  }

  iso(at = this.now()) { return new Date(at).toISOString(); }

  describe() { return { now: this.iso(), unix: this.now() / 1000, factor: this.factor }; }
}
