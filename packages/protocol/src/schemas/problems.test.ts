import { describe, expect, test } from 'vitest';
import {
  conversationParams,
  createConversationBody,
  historyQuery,
  memberParams,
  pageQuery,
  postMessageBody,
} from './http.ts';
import { check, checkParameters, parsePostMessage } from './problems.ts';

const ID = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const SECRET = 'do-not-echo-me';
const GOOD = { message_id: ID, ciphertext: 'AAAA' };

describe('a posted message', () => {
  test.each([
    GOOD,
    { ...GOOD, encryption: { scheme: 'mls-1.0' } },
    { ...GOOD, encryption: { scheme: 'x', key_id: 'K:1' } },
    { ...GOOD, ciphertext: Buffer.alloc(64).toString('base64') },
  ])('is taken: %j', (body) => {
    expect(parsePostMessage(body, 64)).toEqual({ ok: true, value: body });
  });

  test.each([
    ['invalid_body', null],
    ['invalid_body', undefined],
    ['invalid_body', []],
    ['invalid_body', 'text'],
    ['invalid_body', {}],
    ['invalid_body', { ciphertext: 'AAAA' }],
    ['invalid_body', { ...GOOD, message_id: 5 }],
    ['invalid_body', { ...GOOD, ciphertext: 5 }],
    ['invalid_body', { ...GOOD, encryption: null }],
    ['invalid_body', { ...GOOD, encryption: {} }],
    ['invalid_body', { ...GOOD, encryption: { scheme: SECRET.toUpperCase() } }],
    ['invalid_body', { ...GOOD, encryption: { scheme: 'x', key_id: '' } }],
    ['invalid_uuid', { ...GOOD, message_id: SECRET }],
    ['invalid_uuid', { ...GOOD, message_id: ID.toUpperCase() }],
    ['invalid_uuid', { message_id: '', ciphertext: SECRET }],
    ['invalid_ciphertext', { ...GOOD, ciphertext: SECRET }],
    ['invalid_ciphertext', { ...GOOD, ciphertext: '' }],
    ['invalid_ciphertext', { ...GOOD, ciphertext: 'AAAB\n' }],
    ['invalid_ciphertext', { ...GOOD, ciphertext: 'AB==' }],
    ['unknown_field', { ...GOOD, [SECRET]: 1 }],
    ['unknown_field', { ...GOOD, encryption: { scheme: 'x', [SECRET]: 1 } }],
    ['unknown_field', { message_id: SECRET, plaintext: SECRET }],
    ['unknown_field', JSON.parse(`{"message_id":"${ID}","ciphertext":"AAAA","__proto__":{"x":1}}`)],
    ['payload_too_large', { ...GOOD, ciphertext: Buffer.alloc(65).toString('base64') }],
    ['payload_too_large', { ...GOOD, ciphertext: 'A'.repeat(100) }],
    ['payload_too_large', { ...GOOD, ciphertext: ' '.repeat(1_000_000) }],
  ])('%s: %j', (code, body) => {
    const result = parsePostMessage(body, 64);
    expect(result).toMatchObject({ ok: false, problem: { code } });
    expect(JSON.stringify(result).toLowerCase()).not.toContain(SECRET);
  });

  test('the bound counts bytes, also where the text of more bytes is no longer', () => {
    for (const bytes of [62, 63, 64, 65, 66]) {
      const body = { ...GOOD, ciphertext: Buffer.alloc(bytes).toString('base64') };
      expect(parsePostMessage(body, 64).ok).toBe(bytes <= 64);
    }
  });

  test('the detail names the field', () => {
    expect(check(postMessageBody, { ...GOOD, encryption: { scheme: 5 } })).toMatchObject({
      problem: { status: 400, detail: 'encryption.scheme: the value is missing or wrong' },
    });
  });
});

describe('a conversation', () => {
  test.each([{ members: [] }, { conversation_id: ID, members: ['a', 'ü'] }])('is taken: %j', (body) => {
    expect(check(createConversationBody, body).ok).toBe(true);
  });

  test.each([
    ['invalid_body', {}],
    ['invalid_body', { members: 'a' }],
    ['invalid_body', { members: [''] }],
    ['invalid_body', { members: ['a\0'] }],
    ['invalid_body', { members: Array.from({ length: 257 }, (_, i) => `u${i}`) }],
    ['invalid_uuid', { conversation_id: 'x', members: [] }],
    ['unknown_field', { members: [], mls: {} }],
  ])('%s: %j', (code, body) => {
    expect(check(createConversationBody, body)).toMatchObject({ ok: false, problem: { code } });
  });
});

describe('parameters', () => {
  test('have defaults and are numbers', () => {
    expect(checkParameters(historyQuery, {})).toEqual({ ok: true, value: { after: 0, limit: 100 } });
    expect(checkParameters(historyQuery, { after: '7', limit: '500', other: 'x' })).toEqual({
      ok: true,
      value: { after: 7, limit: 500 },
    });
    expect(checkParameters(pageQuery, { cursor: 'abc' })).toEqual({
      ok: true,
      value: { cursor: 'abc', limit: 100 },
    });
  });

  test.each([
    { after: '-1' },
    { after: '' },
    { after: '1.5' },
    { after: '9007199254740992' },
    { after: ['1', '2'] },
    { limit: '0' },
    { limit: '501' },
    { limit: '010' },
    { limit: 'all' },
  ])('invalid_parameter: %j', (query) => {
    expect(checkParameters(historyQuery, query)).toMatchObject({ problem: { code: 'invalid_parameter' } });
  });

  test('of a path', () => {
    expect(checkParameters(conversationParams, { id: ID }).ok).toBe(true);
    expect(checkParameters(conversationParams, { id: 'x' })).toMatchObject({
      problem: { code: 'invalid_uuid' },
    });
    expect(checkParameters(memberParams, { id: ID, user_id: 'a\n' })).toMatchObject({
      problem: { code: 'invalid_parameter' },
    });
    expect(checkParameters(pageQuery, { cursor: '' })).toMatchObject({
      problem: { code: 'invalid_parameter' },
    });
  });
});
