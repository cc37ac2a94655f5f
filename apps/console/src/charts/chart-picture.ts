import uPlot, { type AlignedData } from 'uplot';
import type { ChartSpec } from './series.ts';

const HEIGHT_PX = 190;
const DASHES: readonly number[][] = [[], [6, 4], [2, 3], [10, 4, 2, 4]];
const LEGEND_DASHES = ['solid', 'dashed', 'dotted', 'dashed'];

/** A uPlot in the page's colours and of its frame's width; drawn anew when either changes. */
export class ChartPicture {
  readonly #frame: HTMLElement;
  readonly #spec: ChartSpec;
  readonly #resize: ResizeObserver;
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  #data: AlignedData;
  #plot: uPlot;

  constructor(frame: HTMLElement, spec: ChartSpec) {
    this.#frame = frame;
    this.#spec = spec;
    this.#data = [[], ...spec.lines.map(() => [])];
    this.#plot = this.#draw();
    this.#resize = new ResizeObserver(() =>
      this.#plot.setSize({ width: frame.clientWidth, height: HEIGHT_PX }),
    );
    this.#resize.observe(frame);
    this.#scheme.addEventListener('change', this.#redraw);
  }

  show(data: AlignedData): void {
    this.#data = data;
    this.#plot.setData(data);
    showLatest(this.#plot);
  }

  destroy(): void {
    this.#resize.disconnect();
    this.#scheme.removeEventListener('change', this.#redraw);
    this.#plot.destroy();
  }

  #redraw = (): void => {
    this.#plot.destroy();
    this.#plot = this.#draw();
  };

  #draw(): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const { text, lines, highMin } = this.#spec;
    const axis = {
      stroke: colour('--ink-soft'),
      font: `11px ${style.fontFamily}`,
      grid: { stroke: colour('--rule'), width: 1 },
      ticks: { show: false },
    };
    const options: uPlot.Options = {
      width: this.#frame.clientWidth || 320,
      height: HEIGHT_PX,
      // As everything else on the page, and as the logs.
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'UTC'),
      padding: [8, 8, 0, 0],
      legend: { markers: { width: 2, dash: (_plot, index) => LEGEND_DASHES[index - 1] ?? 'solid' } },
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(highMin, high * 1.1)] } },
      hooks: { setCursor: [showLatest] },
      axes: [
        { ...axis, size: 26, values: (_plot, ticks) => ticks.map(clock) },
        { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => text(tick)) },
      ],
      series: [
        { label: 'UTC', value: (_plot, seconds) => (seconds === null ? '–' : clock(seconds)) },
        ...lines.map((line, index) => ({
          label: line.label,
          stroke: colour(`--line-${index + 1}`),
          width: 1.6,
          dash: DASHES[index] ?? [],
          points: { show: false },
          value: (_plot: uPlot, value: number | null) => text(value),
        })),
      ],
    };
    const plot = new uPlot(options, this.#data, this.#frame);
    showLatest(plot);
    return plot;
  }
}

/** Where the pointer is on no moment, the legend tells the latest one; where there is none, nothing. */
function showLatest(plot: uPlot): void {
  const pointed = plot.cursor.idx ?? undefined;
  const latest = plot.data[0].length - 1;
  if (latest < 0) plot.setLegend({ idxs: plot.data.map(() => null) }, false);
  else if (pointed === undefined) plot.setLegend({ idx: latest }, false);
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 19);
}
