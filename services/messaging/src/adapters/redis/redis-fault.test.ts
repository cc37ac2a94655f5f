import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { replyFault, toRedisFault } from './redis-fault.ts';

describe('replyFault', () => {
  const conditions = [
    ['LOADING Redis is loading the dataset in memory', 'LOADING'],
    ["READONLY You can't write against a read only replica.", 'READONLY'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'OOM'],
    ['MASTERDOWN Link with MASTER is down', 'MASTERDOWN'],
    ['CLUSTERDOWN The cluster is down', 'CLUSTERDOWN'],
    ['BUSY Redis is busy running a script.', 'BUSY'],
    ['NOREPLICAS Not enough good replicas to write.', 'NOREPLICAS'],
    ['MISCONF Redis is configured to save RDB snapshots', 'MISCONF'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'WRONGTYPE'],
    ["NOPERM this user has no permissions to run the 'xadd' command", 'NOPERM'],
    ['ERR max number of clients reached', 'MAX_CLIENTS'],
    ['ERR The stream has exhausted the last possible ID, unable to add more items', 'IDS_EXHAUSTED'],
    ["ERR unknown command 'XADD'", 'UNKNOWN_COMMAND'],
    ['ERR Unknown Redis command called from script', 'UNKNOWN_COMMAND'],
    ["ERR The user executing the script can't run this command or subcommand", 'NOPERM'],
    ["ERR ACL failure in script: User app has no permissions to run the 'xadd' command", 'NOPERM'],
  ] as const;
  it.each(conditions)('takes no entry to task for %s', (text, reason) => {
    expect(replyFault(text)).toMatchObject({ kind: 'outage', reason, retryable: true });
  });

  it.each([
    ['ERR Elements are too large to be stored', 'ERR'],
    ['NOGROUP No such key', 'NOGROUP'],
    ['something without a code', 'ERR'],
  ])('takes %s for a refusal of the command', (text, reason) => {
    expect(replyFault(text)).toMatchObject({ kind: 'reply', reason, code: 'unexpected', retryable: false });
  });

  it('takes a protocol error for the end of the connection', () => {
    expect(replyFault('ERR Protocol error: invalid bulk length')).toMatchObject({ kind: 'connection' });
  });
});

describe('toRedisFault', () => {
  it("keeps nothing of a driver's error but its code", () => {
    const error = Object.assign(new Error('ERR wrong: c2VjcmV0'), {
      name: 'ReplyError',
      command: { name: 'xadd', args: ['c2VjcmV0'] },
    });
    const fault = toRedisFault(error);
    expect(inspect(fault, { depth: null, showHidden: true })).not.toContain('c2VjcmV0');
  });

  it('takes everything else for a broken connection', () => {
    expect(toRedisFault(new Error('Connection is closed.'))).toMatchObject({
      kind: 'connection',
      retryable: true,
    });
    expect(toRedisFault('?')).toMatchObject({ kind: 'connection' });
  });
});
