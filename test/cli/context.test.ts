import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Ended, runIn } from '../support/run-command.ts';
import { withDirectory } from '../support/temporary.ts';

const FILES = {
  'app/Dockerfile':
    'FROM scratch AS tools\nCOPY src /src\nFROM scratch\nADD src/a.ts README.md /\n',
  'app/.dockerignore': 'node_modules\n*.md\n!README.md\n',
  'app/node_modules/x.js': '',
  'app/notes.md': 'x'.repeat(1234),
  'app/README.md': 'x'.repeat(56_789),
  'app/src/a.ts': '123',
  'app/src/b.ts': '12',
};

/** Runs `tsbuild context ls` beside the directory "app". */
async function ls(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = FILES,
): Promise<Ended> {
  return await withDirectory(async (folder) => {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    return await runIn(folder, 'context', 'ls', ...argv);
  });
}

describe('tsbuild context ls', () => {
  it('prints a table and the sums (IGN-3)', async () => {
    const { code, stdout, stderr } = await ls(['app']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(
      stdout,
      [
        '  SIZE  PATH           RULE                          USED BY',
        '  29 B  .dockerignore                                -',
        '  74 B  Dockerfile                                   -',
        ' 57 kB  README.md      .dockerignore:3 !README.md    ADD:4 (1)',
        '     -  node_modules/  .dockerignore:1 node_modules  (ignored, not entered)',
        '1.2 kB  notes.md       .dockerignore:2 *.md          (ignored)',
        '   3 B  src/a.ts                                     ADD:4 (1)',
        '   2 B  src/b.ts                                     -',
        '',
        '5 files (57 kB) in the context; 1 file (1.2 kB) ignored, 1 directory not entered; 3 files (105 B) unused',
        '',
      ].join('\n'),
    );
  });

  it('takes the flags of a build', async () => {
    const { stdout } = await ls([
      '--target=tools',
      '-t',
      'name',
      '-o',
      'type=oci,dest=x.tar',
      'app',
    ]);
    assert.match(stdout, /src\/b\.ts +COPY:2 \(tools\)\n/);
    const own = { ...FILES, 'app/Other': 'FROM scratch\nARG what\nCOPY $what /\n' };
    const named = await ls(['-f', 'app/Other', '--build-arg=what=src/b.ts', 'app'], own);
    assert.match(named.stdout, /src\/b\.ts +COPY:3 \(0\)\n/);
    assert.match(named.stdout, /src\/a\.ts +-\n/);
  });

  it('lists the working directory unless a context is named', async () => {
    const { code, stdout } = await ls(['--json', '--all'], { Dockerfile: 'FROM scratch\n' });
    const { files } = JSON.parse(stdout) as {
      readonly files: readonly { readonly path: string }[];
    };
    assert.equal(code, 0);
    assert.ok(files.some(({ path }) => path === 'Dockerfile'));
  });

  it('prints JSON for programs, with exact sizes', async () => {
    const { code, stdout } = await ls(['--json', 'app']);
    const { files, ...rest } = JSON.parse(stdout) as { readonly files: readonly object[] };
    assert.equal(code, 0);
    assert.deepEqual(rest, {
      ignoreFile: '.dockerignore',
      totals: {
        kept: { files: 5, bytes: 56_897 },
        ignored: { files: 1, bytes: 1234, unenteredDirectories: 1 },
        unused: { files: 3, bytes: 105 },
      },
      instructions: [{ instruction: 'ADD', text: 'ADD src/a.ts README.md /', line: 4, stage: '1' }],
      warnings: [],
      errors: [],
    });
    const file = '.dockerignore';
    assert.deepEqual(files.slice(2, 5), [
      {
        ...{ path: 'README.md', type: 'file', size: 56_789, kept: true },
        rule: { file, line: 3, pattern: '!README.md', keeps: true },
        usedBy: [0],
      },
      {
        ...{ path: 'node_modules', type: 'directory', size: 0, kept: false, entered: false },
        rule: { file, line: 1, pattern: 'node_modules', keeps: false },
        usedBy: [],
      },
      {
        ...{ path: 'notes.md', type: 'file', size: 1234, kept: false },
        rule: { file, line: 2, pattern: '*.md', keeps: false },
        usedBy: [],
      },
    ]);
  });

  it('explains one path', async () => {
    const kept = await ls(['--why', 'README.md', 'app']);
    assert.deepEqual(
      [kept.code, kept.stdout],
      [
        0,
        [
          '"README.md" is a file of 57 kB. It is in the build context.',
          '  .dockerignore:2 *.md: leaves it out',
          '  .dockerignore:3 !README.md: keeps it, and decides, for it is the last',
          'Used by:',
          '  line 4, stage 1: ADD src/a.ts README.md /',
          '',
        ].join('\n'),
      ],
    );
    const dropped = await ls(['--why=node_modules/x.js', 'app']);
    assert.equal(
      dropped.stdout,
      [
        '"node_modules/x.js" is a file of 0 B. It is not in the build context.',
        '  .dockerignore:1 node_modules: leaves it out through "node_modules", and decides, for it is the last',
        '',
      ].join('\n'),
    );
    const plain = await ls(['--why=src/b.ts', 'app']);
    assert.match(
      plain.stdout,
      /No rule of \.dockerignore matches it\.\nNo instruction .* uses it\.\n/,
    );
    const json = await ls(['--why=src/a.ts', '--json', 'app']);
    const { path, matches } = JSON.parse(json.stdout) as Readonly<Record<string, unknown>>;
    assert.deepEqual([path, matches], ['src/a.ts', []]);
  });

  it('exits with 1 for a path that is not there, and guesses what was meant', async () => {
    const { code, stdout, stderr } = await ls(['--why', 'src/c.ts', 'app']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /ERROR: Cannot find "src\/c\.ts" in the build context .*\nhint: Did you mean "src\/a\.ts"\?/,
    );
  });

  it('exits with 1 after the list when a build would fail', async () => {
    const missing = await ls(['app'], {
      ...FILES,
      'app/Dockerfile': 'FROM scratch\nCOPY notes.md /\n',
    });
    assert.equal(missing.code, 1);
    assert.match(missing.stdout, /5 files .* in the context; .*unknown what is unused\n$/);
    assert.match(
      missing.stderr,
      />>> COPY notes\.md[^]*"\*\.md" \(\.dockerignore:2\) leaves it out/,
    );
    const wrong = await ls(['app'], { ...FILES, 'app/Dockerfile': 'FROM scratch\nCOPY a\n' });
    assert.deepEqual([wrong.code, /src\/a\.ts +\?\n/.test(wrong.stdout)], [1, true]);
    assert.match(wrong.stderr, /\[ERR_INSTRUCTION_INVALID\]/);
  });

  it('exits with 0 when only a registry does not answer, and says so', async () => {
    const Dockerfile = 'FROM localhost:1/base\nCOPY . /\n';
    const { code, stdout, stderr } = await ls(['app'], { ...FILES, 'app/Dockerfile': Dockerfile });
    assert.deepEqual([code, /src\/a\.ts +\?\n/.test(stdout)], [0, true]);
    assert.match(stderr, /^WARNING: It is not known what the build uses: .*localhost:1/);
  });

  it('tells what a build would warn of', async () => {
    const files = { ...FILES, 'app/.env': 'x', 'app/Dockerfile': 'FROM scratch\nCOPY . /\n' };
    const { code, stderr } = await ls(['app'], files);
    assert.equal(code, 0);
    assert.match(stderr, /^WARNING: SecretFileCopied: COPY puts "\.env" into the image/);
  });

  it('shows names without what a terminal would obey', async () => {
    const files = { 'app/Dockerfile': 'FROM scratch\n', 'app/a\u001b[31m\nb': '' };
    const { stdout } = await ls(['app'], files);
    assert.match(stdout, /^ 0 B {2}a b +-$/m);
    const { stdout: json } = await ls(['--json', 'app'], files);
    assert.ok(json.includes(JSON.stringify('a\u001b[31m\nb')));
  });

  for (const [argv, message] of [
    [['nowhere'], /Cannot read the build context/],
    [['app', 'other'], /Cannot build 2 contexts at once/],
    [['--wy', 'x', 'app'], /Cannot understand the flag "--wy"\S* .*\nhint: Did you mean "--why"\?/],
    [['--check', 'app'], /Cannot understand the flag "--check"/],
    [['--why'], /Cannot use "--why" without a value/],
  ] as const) {
    it(`exits with 2 for "${argv.join(' ')}"`, async () => {
      const { code, stdout, stderr } = await ls(argv);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }

  it('has a help of its own', async () => {
    const { code, stdout } = await ls(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: tsbuild context ls \[flags\] \[CONTEXT\]\n/);
    assert.match(stdout, /--why <path>[^]*--target <stage>/);
    assert.doesNotMatch(stdout, /--output|--check/);
  });

  it('leaves a directory that is called "context" to the build', async () => {
    await withDirectory(async (folder) => {
      await mkdir(join(folder, 'context'));
      await writeFile(join(folder, 'context/Dockerfile'), 'FROM scratch\nLABEL a=b\n');
      assert.equal((await runIn(folder, 'context')).code, 0);
      const wrong = await runIn(folder, 'context', 'list');
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /hint: Write "tsbuild context ls \[flags\] \[CONTEXT\]"/);
    });
  });
});
