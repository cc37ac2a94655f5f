/**
 * `@sanctum/protocol/schemas`: the schemas that validate what crosses the wire, and that the specifications
 * are generated from. For servers and tests; it needs zod.
 */
export * from './schemas/client-frames.ts';
export * from './schemas/http.ts';
export * from './schemas/parse-client-frame.ts';
export * from './schemas/problems.ts';
export * from './schemas/registries.ts';
export * from './schemas/server-frames.ts';
export * from './schemas/stream-entry.ts';
export * from './schemas/token-claims.ts';
