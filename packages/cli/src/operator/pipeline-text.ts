import type { Health, Pipeline, Stage } from '@sanctum/protocol/admin';
import type { Paint, Style } from '../output.ts';
import { printable } from '../output.ts';
import { ageText } from './texts.ts';

const STYLES: Record<Health, Style> = {
  ok: 'green',
  degraded: 'yellow',
  down: 'red',
  paused: 'cyan',
  off: 'dim',
};
const PODS_MAX = 30;

/** The pipeline as a screen of text. */
export function pipelineText(pipeline: Pipeline, { paint }: { readonly paint: Paint }): string {
  const { stages, pods, lag, end_to_end: endToEnd, epoch } = pipeline;
  const ms = (value: number | null) => (value === null ? '-' : `${value.toFixed(0)} ms`);
  return [
    `${pipeline.at}  epoch ${epoch}`,
    '',
    paint('dim', 'stage       state       rate/s  errors/s     lag   waiting  pods'),
    ...stages.flatMap((stage) => stageLines(stage, paint)),
    '',
    `commit to broadcast  p50 ${ms(lag.p50_ms)}, p95 ${ms(lag.p95_ms)}`,
    `commit to client     p50 ${ms(endToEnd.p50_ms)}, p95 ${ms(endToEnd.p95_ms)}`,
    '',
    paint('dim', 'pod                             state      dispatcher  consumer  connections  slow'),
    ...pods.slice(0, PODS_MAX).map((pod) => {
      const does = (flag: boolean, stage: 'dispatcher' | 'consumer') =>
        flag ? (pod.paused.includes(stage) ? 'paused' : 'on') : 'off';
      return [
        printable(pod.name, 30).padEnd(30),
        printable(pod.state, 30).padEnd(9),
        does(pod.dispatcher, 'dispatcher').padEnd(10),
        does(pod.consumer, 'consumer').padEnd(8),
        String(pod.connections).padStart(11),
        String(pod.slow_connections).padStart(4),
        printable(pod.reasons.join(' '), 300),
      ].join('  ');
    }),
    ...(pods.length > PODS_MAX ? [`… and ${pods.length - PODS_MAX} more`] : []),
    ...(pods.length === 0 ? ['none has been heard of'] : []),
  ].join('\n');
}

function stageLines(stage: Stage, paint: Paint): string[] {
  const number = (value: number | null) => (value === null ? '-' : value.toFixed(value < 10 ? 1 : 0));
  const line = [
    stage.name.padEnd(10),
    paint(STYLES[stage.health], stage.health.padEnd(9)),
    number(stage.rate).padStart(7),
    number(stage.error_rate).padStart(8),
    (stage.lag_seconds === null ? '-' : ageText(stage.lag_seconds)).padStart(6),
    (stage.backlog === null ? '-' : String(stage.backlog)).padStart(8),
    `${stage.pods}/${stage.pods_alive}`.padStart(4),
  ].join('  ');
  return stage.cause === null ? [line] : [line, `            ${printable(stage.cause, 300)}`];
}
