/**
 * `@sanctum/protocol/admin`: what crosses the wire of the admin API (`/admin/v1`, port 8084), for the service, the
 * command line and the console. It needs zod. Nothing here ever holds a message's content.
 */
export * from './admin/audit.ts';
export * from './admin/connections.ts';
export * from './admin/controls.ts';
export * from './admin/dead-letters.ts';
export * from './admin/jobs.ts';
export * from './admin/pipeline.ts';
export * from './admin/registry.ts';
export * from './admin/revocations.ts';
export * from './admin/storage.ts';
export * from './admin/trace.ts';
export * from './admin/upkeep.ts';
