import type { ServerFrame } from '@sanctum/protocol';
import { describeIssue, serverFrameSchemas } from '@sanctum/protocol/schemas';

const SCHEMAS = new Map(Object.values(serverFrameSchemas).map((schema) => [schema.shape.type.value, schema]));

/** How a frame differs from its schema, in words; undefined where it does not. */
export function frameFault(frame: ServerFrame): string | undefined {
  const schema = SCHEMAS.get(frame.type);
  if (!schema) return `a frame of no known type came: ${frame.type}`;
  const result = schema.safeParse(frame);
  return result.success ? undefined : `${frame.type}: ${describeIssue(result.error.issues[0])}`;
}
