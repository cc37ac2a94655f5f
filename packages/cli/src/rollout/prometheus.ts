import { CliError, isUnreachable } from '../cli-error.ts';
import { printable } from '../output.ts';

const ANSWER_TIMEOUT_MS = 30_000;

interface QueryAnswer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

/** The one value of a query at a moment; `null` where there is none, or none that is a number. */
export async function queryPrometheus(
  url: string,
  { query, atMs }: { readonly query: string; readonly atMs: number },
): Promise<number | null> {
  const body = new URLSearchParams({ query, time: (atMs / 1000).toFixed(3) });
  const { status, text } = await post(`${url}/api/v1/query`, body);
  let answer: QueryAnswer;
  try {
    answer = JSON.parse(text) as QueryAnswer;
  } catch {
    throw new CliError(`${url} answered ${status}, and not as Prometheus does`, 'Give --prometheus-url.');
  }
  if (answer.status !== 'success')
    throw new CliError(`Prometheus refuses ${query}: ${printable(answer.error ?? '')}`);
  const value = Number(answer.data?.result[0]?.value[1] ?? Number.NaN);
  return Number.isNaN(value) ? null : value;
}

async function post(url: string, body: URLSearchParams): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    const why = isLate
      ? 'no answer in time'
      : isUnreachable(error)
        ? 'nothing answers'
        : 'it cannot be asked';
    throw new CliError(`Prometheus: ${why} at ${url}`, 'Say where it is with --prometheus-url.');
  }
}
