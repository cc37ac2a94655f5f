import type { PanelSpec, RowSpec } from './panels.ts';

/** One line of a panel: its name, and its points as [seconds, value]. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

const WIDTH = 1200;
const MARGIN = 12;
const ROW_TITLE = 34;
const PANEL = 184;
const LEGEND_LINE = 14;
const LETTER = 5.6;
const COLORS = ['#1f77b4', '#d9822b', '#2a8f4f', '#8e5bb5', '#b8393b', '#4d5a66'];
const COLUMNS = 24;

/** The dashboard's panels as a picture (SVG), in Grafana's grid and order. */
export function drawPanels(
  rows: readonly RowSpec[],
  linesOf: (panel: PanelSpec) => readonly Line[],
  caption: string,
): string {
  const parts: string[] = [];
  let top = 40;
  for (const row of rows) {
    parts.push(text(MARGIN, top + 20, row.title, 'font-size="15" font-weight="600" fill="#222"'));
    top += ROW_TITLE;
    let column = 0;
    for (const panel of row.panels) {
      const left = MARGIN + (column / COLUMNS) * (WIDTH - 2 * MARGIN);
      const width = (panel.width / COLUMNS) * (WIDTH - 2 * MARGIN) - 8;
      parts.push(drawPanel(panel, linesOf(panel), { left, top, width }));
      column += panel.width;
    }
    top += PANEL + 10;
  }
  const head = text(
    MARGIN,
    26,
    `Realtime Messaging Overview — ${caption}`,
    'font-size="17" font-weight="600" fill="#111"',
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top + 8}" font-family="sans-serif">
<rect width="100%" height="100%" fill="#f4f5f7"/>
${head}
${parts.join('\n')}
</svg>
`;
}

function drawPanel(
  panel: PanelSpec,
  lines: readonly Line[],
  place: { left: number; top: number; width: number },
): string {
  const { left, top, width } = place;
  const labels = lines.map((line) => labelOf(line, panel.unit));
  const longest = Math.max(...labels.map((label) => label.length * LETTER + 22));
  const legendColumns = Math.max(1, Math.min(3, Math.floor((width - 16) / longest)));
  const legendRows = Math.ceil(lines.length / legendColumns);
  const plot = {
    x: left + 48,
    y: top + 30,
    width: width - 60,
    height: PANEL - 52 - LEGEND_LINE * legendRows,
  };
  const points = lines.flatMap((line) => line.points.filter(([, value]) => Number.isFinite(value)));
  const times = points.map(([at]) => at);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const top1 = Math.max(...points.map(([, value]) => value), 0);
  const most = top1 === 0 ? 1 : top1 * 1.1;
  const x = (at: number) => (plot.x + ((at - from) / Math.max(1, to - from)) * plot.width).toFixed(1);
  const y = (value: number) => (plot.y + plot.height - (value / most) * plot.height).toFixed(1);
  const drawn = lines.map(({ points: own }, index) => {
    const path = own
      .filter(([, value]) => Number.isFinite(value))
      .map(([at, value], n) => `${n === 0 ? 'M' : 'L'}${x(at)} ${y(value)}`)
      .join('');
    return `<path d="${path}" fill="none" stroke="${colorOf(index)}" stroke-width="1.6"/>`;
  });
  const legend = labels.map((label, index) => {
    const x0 = left + 12 + (index % legendColumns) * ((width - 16) / legendColumns);
    const y0 = top + PANEL - 8 - LEGEND_LINE * (legendRows - 1 - Math.floor(index / legendColumns));
    return `<rect x="${x0}" y="${y0 - 8}" width="9" height="9" fill="${colorOf(index)}"/>${text(x0 + 13, y0, label, 'font-size="10.5" fill="#444"')}`;
  });
  const axis = [0, most / 2, most].map(
    (value) =>
      `<line x1="${plot.x}" x2="${plot.x + plot.width}" y1="${y(value)}" y2="${y(value)}" stroke="#e3e5e8"/>${text(plot.x - 5, Number(y(value)) + 3, shown(value, panel.unit), 'font-size="9.5" text-anchor="end" fill="#777"')}`,
  );
  return `<rect x="${left}" y="${top}" width="${width}" height="${PANEL}" fill="#fff" stroke="#d8dbe0" rx="3"/>
${text(left + 10, top + 18, panel.title, 'font-size="12" font-weight="600" fill="#333"')}
${[...axis, ...drawn, ...legend].join('\n')}`;
}

/** A line's name and its last value. */
function labelOf({ name, points }: Line, unit: string): string {
  const last = points.findLast(([, value]) => Number.isFinite(value))?.[1];
  return last === undefined ? name : `${name} ${shown(last, unit)}`;
}

function colorOf(index: number): string {
  return COLORS[index % COLORS.length]!;
}

function shown(value: number, unit: string): string {
  if (unit === 'percentunit') return `${round(value * 100)} %`;
  if (unit === 's') return value < 1 ? `${round(value * 1000)} ms` : `${round(value)} s`;
  return unit === 'ops' ? `${round(value)}/s` : String(round(value));
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`;
}
