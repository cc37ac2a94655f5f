import type { ApiError } from '../server/api-error.ts';

/** What the last question brought that was answered: data, a failure, or data and why it could not be renewed. */
export interface Answer<T> {
  /** The question. */
  readonly key?: string;
  readonly data?: T;
  readonly error?: ApiError;
}

/** After a failure. What was there before stays only where it answers the same question. */
export function failed<T>(before: Answer<T>, key: string, error: ApiError): Answer<T> {
  return before.key === key ? { ...before, error } : { key, error };
}

/** What of it may be shown for a question: nothing that answers another one. */
export function answerTo<T>(last: Answer<T>, key: string | undefined): Answer<T> {
  return last.key === key ? last : {};
}
