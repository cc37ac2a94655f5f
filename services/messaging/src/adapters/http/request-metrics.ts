import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS } from '@sanctum/protocol';
import type { Metrics } from '../../metrics.ts';
import { routeList } from './routes.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

/** Counts answers by route pattern, never by address. The series of every documented answer exist at 0. */
export function requestMetrics({
  httpRequests,
  httpRequestSeconds,
}: Pick<Metrics, 'httpRequests' | 'httpRequestSeconds'>) {
  const series = new Map<string, { inc(): void }>();
  const seriesOf = (route: string, method: string, status: number) => {
    const key = `${status} ${method} ${route}`;
    let counter = series.get(key);
    if (counter === undefined) {
      counter = httpRequests.labels({ route, method, status: String(status) });
      series.set(key, counter);
    }
    return counter;
  };
  for (const route of routeList) {
    const problems = route.problems.map((code) => ERRORS[code].status);
    for (const status of new Set([...route.answers.map((answer) => answer.status), ...problems])) {
      httpRequests.inc({ route: route.path, method: route.method, status: String(status) }, 0);
    }
  }

  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const { url } = request.routeOptions;
    const method = METHODS.has(request.method) ? request.method : 'other';
    seriesOf(url === undefined ? 'unmatched' : patternOf(url), method, reply.statusCode).inc();
    httpRequestSeconds.observe(reply.elapsedTime / 1000);
    done();
  };
}

const patterns = new Map<string, string>();

/** The framework writes `/:id` where the specification writes `/{id}`. */
function patternOf(url: string): string {
  let pattern = patterns.get(url);
  if (pattern === undefined) {
    pattern = url.replace(/:(\w+)/g, '{$1}');
    patterns.set(url, pattern);
  }
  return pattern;
}
