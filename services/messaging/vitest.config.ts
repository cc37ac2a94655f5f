// The workspace's configuration, for whoever runs vitest from this folder.
export { default } from '../../vitest.config.ts';
