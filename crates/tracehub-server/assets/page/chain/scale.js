// Times to places, and times to mark.

/** The part of the time that is shown, as fractions of its width. */
export class Scale {
  constructor(from, to) {
    this.from = from;
    this.to = to;
    this.length = Math.max(to - from, 1e-6);
  }

  /** Per cent of the width, beyond the edges too. */
  at(time) {
    return (100 * (time - this.from)) / this.length;
  }

  /** Per cent of the width, within the edges. */
  within(time) {
    return Math.min(100, Math.max(0, this.at(time)));
  }

  /** Where a span lies, cut to the edges; null if it is out of sight. */
  span(start, end) {
    if (end < this.from || start > this.to) return null;
    const left = this.within(start);
    return { left, width: this.within(end) - left };
  }

  /** Round times, about `most` of them, counted from `origin`. */
  ticks(origin, most) {
    const step = roundStep(this.length / Math.max(1, most));
    const ticks = [];
    for (let n = Math.ceil((this.from - origin) / step - 1e-9); origin + n * step <= this.to + step * 1e-9; n += 1) {
      ticks.push(n * step);
      if (ticks.length > 100) break;
    }
    return ticks;
  }
}

/** The next 1, 2 or 5 with zeros; of more than a minute, the next that clocks know. */
function roundStep(atLeast) {
  const clocks = [60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000];
  if (atLeast > 30_000) {
    const step = clocks.find((each) => each >= atLeast);
    if (step) return step;
    return 86_400_000 * roundStep(atLeast / 86_400_000);
  }
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return [1, 2, 5, 10].map((each) => each * power).find((step) => step >= atLeast * 0.999);
}

/** Zooms by a factor around a time, within the limits. */
export function zoomed(scale, factor, around, limits) {
  const length = Math.min(limits.length, Math.max(scale.length * factor, limits.length * 1e-6, 1e-3));
  const share = Math.min(1, Math.max(0, (around - scale.from) / scale.length));
  return moved(around - share * length, length, limits);
}

/** A part of some length that begins at a time, or as near to it as fits. */
export function moved(from, length, limits) {
  const start = Math.min(Math.max(from, limits.from), limits.to - length);
  return [start, start + length];
}
