/**
 * Loaded into a pod of a soak before the service, so that the pod can be asked for what only it knows: its heap, after
 * a collection, and what keeps its event loop busy. Nothing of the service is touched.
 */
import type { PodFigures } from './soak-pod.ts';

process.on('message', (message: { readonly collect: boolean }) => {
  if (message.collect) globalThis.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const figures: PodFigures = {
    rssBytes: rss,
    heapBytes: heapUsed + external + arrayBuffers,
    resources: process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').length,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
  };
  process.send?.(figures);
});
// Whoever asked is gone: nobody else would end this pod.
process.on('disconnect', () => process.exit(1));
