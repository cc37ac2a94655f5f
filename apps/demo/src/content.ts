/** What is inside a message: the server never sees any of it, neither whether it is a text or a receipt. */
export type Content =
  | { readonly kind: 'text'; readonly name: string; readonly text: string }
  | ({ readonly kind: 'receipt'; readonly name: string } & Marks);

/** How far somebody is in a conversation: a `seq` each. */
export interface Marks {
  readonly delivered: number;
  readonly read: number;
}

export function encodeContent(content: Content): string {
  return JSON.stringify(content);
}

/** undefined for what another application, or a newer one, has written. */
export function parseContent(json: string): Content | undefined {
  let value: Partial<Record<string, unknown>> | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch {
    return undefined;
  }
  const { kind, name, text, delivered, read } = value ?? {};
  if (typeof name !== 'string') return undefined;
  if (kind === 'text' && typeof text === 'string') return { kind, name, text };
  if (kind === 'receipt' && Number.isSafeInteger(delivered) && Number.isSafeInteger(read)) {
    return { kind, name, delivered: delivered as number, read: read as number };
  }
  return undefined;
}
