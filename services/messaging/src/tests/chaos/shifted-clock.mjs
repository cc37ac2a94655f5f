// Preloaded into a pod: its wall clock is CLOCK_SHIFT_MS off. The monotonic clock is right, as on a real machine.
const shiftMs = Number(process.env.CLOCK_SHIFT_MS ?? '0');
const RealDate = Date;
const now = () => RealDate.now() + shiftMs;

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now());
    else super(...given);
  }

  static now() {
    return now();
  }
};
