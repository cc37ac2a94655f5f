import type { PipelineHistory } from '@sanctum/protocol/admin';
import { useEffect, useRef } from 'preact/hooks';
import type { AlignedData } from 'uplot';
import type { Loaded } from '../ui/hooks.ts';
import { ChartPicture } from './chart-picture.ts';
import type { ChartSpec } from './series.ts';

/** One chart over the history. Its frame has its height from the start, so that nothing jumps when it is drawn. */
export function HistoryChart({ history, chart }: { history: Loaded<PipelineHistory>; chart: ChartSpec }) {
  const frame = useRef<HTMLDivElement>(null);
  const picture = useRef<ChartPicture | undefined>(undefined);
  useEffect(() => {
    if (frame.current === null) return;
    const made = new ChartPicture(frame.current, chart);
    picture.current = made;
    return () => made.destroy();
  }, [chart]);
  const points = history.data?.points;
  useEffect(() => {
    picture.current?.show(aligned(points ?? [], chart));
  }, [points, chart]);
  const last = points?.at(-1);
  const values =
    last === undefined
      ? 'no figures yet'
      : chart.lines.map((line) => `${line.label} ${chart.text(line.value(last))}`).join(', ');
  return (
    <figure class="chart" aria-label={`${chart.name}. Now: ${values}`}>
      <div ref={frame} class="chart-frame" />
      {points === undefined || points.length < 2 ? (
        <p class="chart-empty">
          {history.error?.message ?? (points === undefined ? 'Loading…' : 'Gathering the first figures…')}
        </p>
      ) : null}
    </figure>
  );
}

function aligned(points: PipelineHistory['points'], chart: ChartSpec): AlignedData {
  const times = points.map((point) => Date.parse(point.at) / 1000);
  return [times, ...chart.lines.map((line) => points.map(line.value))];
}
