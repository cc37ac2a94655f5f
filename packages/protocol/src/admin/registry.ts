import type { z } from 'zod';
import { problemAnswer } from '../schemas/http.ts';
import * as audit from './audit.ts';
import * as connections from './connections.ts';
import * as controls from './controls.ts';
import * as deadLetters from './dead-letters.ts';
import * as jobs from './jobs.ts';
import * as pipeline from './pipeline.ts';
import * as revocations from './revocations.ts';
import * as storage from './storage.ts';
import * as trace from './trace.ts';

/** Every schema of the admin API, by the name it has in its specification. */
export const adminSchemas = {
  Me: audit.me,
  Pipeline: pipeline.pipeline,
  Stage: pipeline.stage,
  Pod: pipeline.pod,
  PipelineHistoryQuery: pipeline.pipelineHistoryQuery,
  PipelineHistory: pipeline.pipelineHistory,
  DeadLettersQuery: deadLetters.deadLettersQuery,
  DeadLetter: deadLetters.deadLetter,
  DeadLetters: deadLetters.deadLetters,
  RequeueBody: deadLetters.requeueBody,
  ReplayBody: deadLetters.replayBody,
  JobEstimate: deadLetters.jobEstimate,
  JobParams: jobs.jobParams,
  Job: jobs.job,
  Jobs: jobs.jobs,
  TraceParams: trace.traceParams,
  TraceQuery: trace.traceQuery,
  Trace: trace.trace,
  ConnectionsQuery: connections.connectionsQuery,
  Connections: connections.connections,
  PutControl: controls.putControl,
  Control: controls.control,
  Controls: controls.controls,
  RevocationBody: revocations.revocationBody,
  RevocationsQuery: revocations.revocationsQuery,
  Revocation: revocations.revocation,
  Revocations: revocations.revocations,
  Revoked: revocations.revoked,
  Partitions: storage.partitions,
  ConsumerGroups: storage.consumerGroups,
  AuditQuery: audit.auditQuery,
  Audit: audit.audit,
  Problem: problemAnswer,
} as const satisfies Record<string, z.ZodType>;

export type AdminSchemaName = keyof typeof adminSchemas;
