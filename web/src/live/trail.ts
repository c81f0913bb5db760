/** The last seconds of one number, one value for each second; NaN where nothing was known. */
export class Trail {
  private readonly values: Float32Array;
  private newest = 0;

  constructor(readonly length: number) {
    this.values = new Float32Array(length).fill(NaN);
  }

  put(second: number, value: number | null): void {
    if (second <= this.newest - this.length) return;
    if (second > this.newest) {
      const gap = Math.min(second - this.newest, this.length);
      for (let back = gap - 1; back > 0; back--) this.values[(second - back) % this.length] = NaN;
      this.newest = second;
    }
    this.values[second % this.length] = value ?? NaN;
  }

  /** Fill in what was before the first value, from the history. Nothing that is known is replaced. */
  putIfMissing(second: number, value: number | null): void {
    if (!this.newest) this.newest = second;
    if (second > this.newest || second <= this.newest - this.length) return;
    const slot = second % this.length;
    if (Number.isNaN(this.values[slot])) this.values[slot] = value ?? NaN;
  }

  /** Oldest first. */
  read(count = this.length): number[] {
    const found: number[] = [];
    for (let back = count - 1; back >= 0; back--) {
      const second = this.newest - back;
      found.push(second < 0 ? NaN : (this.values[second % this.length] ?? NaN));
    }
    return found;
  }
}
