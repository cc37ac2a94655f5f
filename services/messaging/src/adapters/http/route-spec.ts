import type { ErrorCode } from '@sanctum/protocol';

/** A route as a server serves it and its specification describes it. */
export interface RouteSpec<Schema extends string> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  readonly params?: Schema;
  readonly query?: Schema;
  readonly body?: { readonly schema: Schema; readonly example: unknown };
  readonly answers: readonly AnswerSpec<Schema>[];
  readonly problems: readonly ErrorCode[];
}

export interface AnswerSpec<Schema extends string> {
  readonly status: number;
  readonly description: string;
  /** A schema's name, or the media type of anything that is not described further. */
  readonly content?: { readonly schema: Schema; readonly example?: unknown } | { readonly mediaType: string };
  readonly headers?: readonly string[];
}
