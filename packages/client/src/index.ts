/** `@sanctum/client`: the client's half of the rules, for browsers and Node. */
export * from './ack-counter.ts';
export * from './cursor-book.ts';
export * from './cursor-rule.ts';
