import assert from 'node:assert/strict';
import { contextUsers, usageOf } from '../../src/solve/context-usage.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import { copyOf, image, type Options, plan } from '../plan/support.ts';
import { directory, file, hardlink, layerOf, symlink } from '../tree/entries.ts';
import { copy } from './copying.ts';

const ENTRIES: readonly Entry[] = [
  directory('src'),
  directory('src/lib'),
  file('src/lib/a.ts'),
  file('src/lib/a.test.ts'),
  file('src/b.ts'),
  hardlink('src/z.ts', 'src/b.ts'),
  directory('docs'),
  file('docs/x.md'),
  symlink('latest', 'docs/x.md'),
  symlink('code', 'src'),
  file('top.txt'),
];

/** Without further names: of those, a copy remembers no origin. */
const PLAIN = ENTRIES.filter(({ type }) => type !== 'hardlink');

/** Path → the lines of what uses it. */
async function linesOf(
  text: string,
  { entries = ENTRIES, ...options }: Options & { readonly entries?: readonly Entry[] } = {},
): Promise<Readonly<Record<string, readonly number[]>>> {
  const { usersOf, failures } = usageOf(
    { tree: treeOf(entries), unreadable: [] },
    contextUsers(await plan(text, options)),
  );
  assert.deepEqual(failures, []);
  return Object.fromEntries(
    entries.map(({ path }) => [
      path,
      usersOf(path).map(({ location }) => location.range.start.line),
    ]),
  );
}

function treeOf(entries = ENTRIES): ImageTree {
  return new ImageTree([layerOf(...entries)]);
}

describe('usageOf()', () => {
  // What is copied has an origin for every file: the two must name the same files.
  const sources = [
    '.',
    'src',
    'src/',
    './src/lib',
    'src/*.ts',
    's*/*/*.ts',
    'latest',
    'code/b.ts',
    'code',
    'top.txt docs',
    '--exclude=**/*.test.ts src',
    '--exclude=* src',
    '--parents src/lib/a.ts docs/*',
    '--parents ./src/./lib',
    '--parents --exclude=lib src',
    'no*',
  ];
  for (const source of sources) {
    it(`knows what "COPY ${source} /to/" copies (CP-4, CP-5, CP-16, CP-17)`, async () => {
      const text = `FROM scratch\nCOPY ${source} /to/\n`;
      const step = await copyOf(text);
      const { origins } = copy({
        from: treeOf(PLAIN),
        sources: step.sources.flatMap((each) => (each.kind === 'path' ? [each.path] : [])),
        to: step.destination,
        kind: step.parents ? 'parents' : 'matches',
        exclude: step.exclude,
      });
      const copied = [...origins.values()].map(({ name }) => name);
      const lines = await linesOf(text, { entries: PLAIN });
      const used = PLAIN.filter(({ path, type }) => type === 'file' && lines[path]?.length === 1);
      assert.deepEqual(used.map(({ path }) => path).toSorted(), copied.toSorted());
    });
  }

  it('counts the content that a hard link shares (CP-19)', async () => {
    const lines = await linesOf('FROM scratch\nCOPY src/z.ts /\n');
    assert.deepEqual([lines['src/z.ts'], lines['src/b.ts'], lines['src/lib/a.ts']], [[2], [2], []]);
  });

  it('counts the symlinks that lead to what is copied', async () => {
    const lines = await linesOf('FROM scratch\nCOPY latest /\nCOPY code/lib /\n');
    assert.deepEqual([lines['latest'], lines['docs/x.md']], [[2], [2]]);
    assert.deepEqual([lines['code'], lines['src/lib/a.ts'], lines['src/b.ts']], [[3], [3], []]);
  });

  it('counts bind mounts, in every stage that is needed (RUN-15)', async () => {
    const lines = await linesOf(
      [
        'FROM scratch AS build',
        'RUN --mount=type=bind,source=src/lib,target=/l --mount=type=bind,source=top.txt,target=/t x',
        'FROM scratch AS other',
        'COPY docs /',
        'FROM scratch',
        'COPY --from=build /out /',
        'ADD top.txt /',
      ].join('\n'),
    );
    assert.deepEqual(lines['src/lib/a.ts'], [2]);
    assert.deepEqual(lines['top.txt'], [2, 7]);
    assert.deepEqual(lines['docs/x.md'], [], 'a stage that is not built');
  });

  it('counts the triggers of a base image (FROM-12)', async () => {
    const options = {
      resolveImage: async () => image({ OnBuild: ['COPY docs /docs', 'ADD src/b.ts /'] }),
    };
    const users = contextUsers(await plan('# x\nFROM base\nCOPY top.txt /\n', options));
    assert.deepEqual(
      users.map(({ text, location }) => [text, location.range.start.line]),
      [
        ['ONBUILD COPY docs /docs', 2],
        ['ONBUILD ADD src/b.ts /', 2],
        ['COPY top.txt /', 3],
      ],
    );
  });

  it('knows nothing of stages, images, addresses and heredocs', async () => {
    const text = [
      'FROM scratch AS a',
      'COPY <<EOF /x',
      'EOF',
      'FROM scratch',
      'COPY --from=a /x /',
      'COPY --from=image /x /',
      'ADD https://host.example/x /',
      'RUN --mount=type=bind,from=a,target=/t --mount=type=cache,target=/c x',
    ].join('\n');
    assert.deepEqual(contextUsers(await plan(text)), []);
  });

  it('tells what is not there, with its place, and goes on', async () => {
    const text =
      'FROM scratch\nCOPY nope /\nRUN --mount=type=bind,source=no,target=/t x\nCOPY docs /\n';
    const { usersOf, failures } = usageOf(
      { tree: treeOf(), unreadable: [] },
      contextUsers(await plan(text)),
    );
    assert.deepEqual(
      failures.map(({ code, location }) => [code, location?.range.start.line]),
      [
        ['ERR_SOURCE_MISSING', 2],
        ['ERR_SOURCE_MISSING', 3],
      ],
    );
    assert.equal(usersOf('docs/x.md').length, 1);
  });

  it('tells who wants what may not be read (CTX-8)', async () => {
    const text = 'FROM scratch\nCOPY . /\nCOPY docs /\nRUN --mount=type=bind,target=/t x\n';
    const unreadable = ['src/key'];
    const { failures } = usageOf({ tree: treeOf(), unreadable }, contextUsers(await plan(text)));
    assert.deepEqual(
      failures.map(({ code, location }) => [code, location?.range.start.line]),
      [
        ['ERR_CONTEXT_MISSING', 2],
        ['ERR_CONTEXT_MISSING', 4],
      ],
    );
  });

  it('tells what ends up in the image', async () => {
    const text = [
      'FROM scratch AS base',
      'COPY docs /',
      'FROM scratch AS build',
      'COPY src /',
      'FROM base',
      'COPY --from=build / /b',
      'RUN --mount=type=bind,target=/t x',
    ].join('\n');
    const users = contextUsers(await plan(text));
    assert.deepEqual(
      users
        .map(({ location, isShipped }) => [location.range.start.line, isShipped] as const)
        .toSorted(([a], [b]) => a - b),
      [
        [2, true],
        [4, false],
        [7, false],
      ],
    );
  });
});
