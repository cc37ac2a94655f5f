export const A = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
export const B = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
/** Settings with which nothing is read from, or written to, the folder of development secrets. */
export const JWT_ENV = { JWT_SECRET: 'a-secret-for-tests-of-32-bytes-or-more' } as const;
