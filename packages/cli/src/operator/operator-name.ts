import { userInfo } from 'node:os';

/** Who does it, for the record. */
export function operatorName(): string {
  return `cli:${userInfo().username}`;
}
