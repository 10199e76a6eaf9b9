import assert from 'node:assert/strict';
import { parseArgs } from '../../src/cli/args.ts';
import { type FlagShape, normalizeArgv } from '../../src/cli/argv.ts';
import { hasCode } from '../../src/index.ts';

const SHAPES: readonly FlagShape[] = [
  { long: '--file', short: '-f', takes: 'value' },
  { long: '--tag', short: '-t', takes: 'value' },
  { long: '--quiet', short: '-q', takes: 'nothing' },
  { long: '--no-cache', short: undefined, takes: 'nothing' },
  { long: '--pull', short: undefined, takes: 'optional' },
];

describe('normalizeArgv()', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['--pull .', ['--pull=true'], ['.']],
    ['--pull=false .', ['--pull=false'], ['.']],
    ['--pull=always .', ['--pull=always'], ['.']],
    ['--no-cache .', ['--no-cache'], ['.']],
    ['--no-cache=false .', [], ['.']],
    ['--no-cache --no-cache=false .', [], ['.']],
    ['--no-cache=0 --no-cache=T .', ['--no-cache'], ['.']],
    ['-qf Df .', ['--quiet', '--file=Df'], ['.']],
    ['-fDf .', ['--file=Df'], ['.']],
    ['-qfDf .', ['--quiet', '--file=Df'], ['.']],
    ['-f=Df .', ['--file=Df'], ['.']],
    ['-q=false .', [], ['.']],
    ['-q=true .', ['--quiet'], ['.']],
    ['-t=x:1 .', ['--tag=x:1'], ['.']],
    ['-tx:1 -t y .', ['--tag=x:1', '--tag=y'], ['.']],
    ['--file=a=b .', ['--file=a=b'], ['.']],
    ['--file -x .', ['--file=-x'], ['.']],
    ['. -f Df', ['--file=Df'], ['.']],
    ['-f - .', ['--file=-'], ['.']],
    ['-', [], ['-']],
    ['-q -- -f', ['--quiet'], ['-f']],
    ['--file= .', ['--file='], ['.']],
  ];
  for (const [line, flags, positionals] of cases) {
    it(`reads "${line}" as docker does`, () => {
      assert.deepEqual(normalizeArgv(line.split(' '), SHAPES), { flags, positionals });
    });
  }

  const failures: readonly (readonly [string, RegExp])[] = [
    ['-f', /"--file" without a value/],
    ['--tag', /"--tag" without a value/],
    ['--no-cache=maybe .', /"maybe"/],
    ['-x .', /the flag "-x"/],
    ['--unknown .', /the flag "--unknown"/],
  ];
  for (const [line, message] of failures) {
    it(`rejects "${line}"`, () => {
      assert.throws(
        () => normalizeArgv(line.split(' '), SHAPES),
        (error) => {
          assert.ok(hasCode(error, 'ERR_USAGE'));
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it('suggests the flag that was meant', () => {
    assert.throws(() => normalizeArgv(['--no-cach', '.'], SHAPES), {
      hint: 'Did you mean "--no-cache"?',
    });
  });
});

describe('parseArgs()', () => {
  const build = (...argv: string[]) => {
    const command = parseArgs(argv);
    assert.equal(command.kind, 'build');
    return command;
  };

  it('takes "build" as the name of the command, not as the context', () => {
    assert.equal(build('build', '.').flags.context, '.');
    assert.equal(build('.').flags.context, '.');
  });

  it('collects repeated flags in their order', () => {
    const { flags } = build('-t', 'a', '--tag=b', '--build-arg', 'X=1', '--build-arg=Y', '.');
    assert.deepEqual(flags.tag, ['a', 'b']);
    assert.deepEqual(flags.buildArg, ['X=1', 'Y']);
  });

  it('keeps --no-cache and --no-cache-filter apart', () => {
    assert.equal(build('.').flags.cache, true);
    assert.deepEqual(build('.').flags.cacheFilter, []);
    assert.equal(build('--no-cache', '.').flags.cache, false);
    const { flags } = build('--no-cache-filter', 'a,b', '.');
    assert.equal(flags.cache, true);
    assert.deepEqual(flags.cacheFilter, ['a,b']);
  });

  it("warns about docker's flags that have no effect, once each", () => {
    const { warnings } = build('--builder', 'x', '-D', '--rm=true', '--layers', '.');
    assert.deepEqual(
      warnings.map((warning) => /"(.*)"/.exec(warning)?.[1]),
      ['--builder', '--debug', '--rm', '--layers'],
    );
  });

  it("refuses docker's flags that would change the result, with a way out", () => {
    for (const flag of ['--policy=x', '--squash', '--cache-from=x']) {
      assert.throws(
        () => build(flag, '.'),
        (error) => {
          assert.ok(hasCode(error, 'ERR_UNSUPPORTED'));
          assert.ok(error.hint !== undefined);
          return true;
        },
      );
    }
  });

  it('accepts a refused flag that asks for nothing', () => {
    assert.deepEqual(
      build('--provenance=false', '--sbom', 'false', '--squash=false', '.').warnings,
      [],
    );
  });

  it('rejects a command line without a context or with two', () => {
    assert.throws(() => build('-q'), { code: 'ERR_USAGE', message: /without a context/ });
    assert.throws(() => build('a', 'b'), { code: 'ERR_USAGE', message: /"a", "b"/ });
  });

  it('answers --help and --version whatever else there is', () => {
    assert.equal(parseArgs(['--version']).kind, 'version');
    const help = parseArgs(['-h', '--squash']);
    assert.ok(help.kind === 'help');
    assert.match(help.text, /--build-arg/);
    assert.doesNotMatch(help.text, /--squash/);
  });
});
