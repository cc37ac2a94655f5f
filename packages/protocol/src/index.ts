/**
 * `@sanctum/protocol`: the wire, without dependencies, for browsers and servers alike. The schemas that
 * validate, and that need zod, are in `@sanctum/protocol/schemas`.
 */
export * from './base64.ts';
export * from './close-codes.ts';
export * from './errors.ts';
export * from './frames.ts';
export * from './limits.ts';
export * from './message-frame.ts';
export * from './scalars.ts';
