import { expect, test } from 'vitest';
import { librariesNamed } from './debian-packages.ts';

test('only libraries that a package really needs are taken along', () => {
  const printed = [
    'redis-tools',
    '  Depends: adduser',
    '  Depends: libatomic1',
    '  Depends: libc6',
    ' |Depends: libelogind0',
    '  PreDepends: libjemalloc2',
    '  Depends: libperl5.36',
    '  Depends: libjs-jquery',
    '  Depends: <libvirtual>',
    '  Suggests: libruby',
    '  Depends: libatomic1',
    'liblzf1',
    '  Depends: libstdc++6',
  ].join('\n');
  expect(librariesNamed(printed)).toEqual(['libatomic1', 'libjemalloc2', 'libstdc++6']);
});
