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

  it("refuses Buildah's and kaniko's flags for registries and outputs by the names they have here (T-23)", () => {
    const cases: Readonly<Record<string, RegExp>> = {
      '--destination=a.example/app:1': /"-t NAME --push"/,
      '-d=app:1': /"-t NAME --push"/,
      '--context=dir:///workspace': /CONTEXT/,
      '--dockerfile=Dockerfile': /--file/,
      '--tls-verify=false': /--insecure-registry/,
      '--skip-tls-verify': /--insecure-registry/,
      '--skip-tls-verify-pull': /--insecure-registry/,
      '--skip-tls-verify-registry=a.example': /--insecure-registry/,
      '--insecure': /--insecure-registry/,
      '--insecure-pull': /--insecure-registry/,
      '--registry-mirror=a.example': /registries\.conf/,
      '--registry-map=a=b': /registries\.conf/,
      '--registry-certificate=a=b': /certs\.d/,
      '--cert-dir=a': /certs\.d/,
      '--authfile=a': /REGISTRY_AUTH_FILE/,
      '--creds=ann:hush': /REGISTRY_AUTH_FILE/,
      '--tar-path=a.tar': /type=docker,dest=/,
      '--oci-layout-path=a': /type=oci,tar=false/,
      '--digest-file=a': /--metadata-file/,
      '--image-name-with-digest-file=a': /--metadata-file/,
      '--format=docker': /oci-mediatypes/,
      '--compression=zstd': /compression=/,
      '--timestamp=0': /SOURCE_DATE_EPOCH/,
      '--reproducible': /SOURCE_DATE_EPOCH/,
    };
    for (const [flag, hint] of Object.entries(cases)) {
      assert.throws(
        () => build(flag, '.'),
        (error) => {
          assert.ok(hasCode(error, 'ERR_UNSUPPORTED'), flag);
          assert.match(error.hint ?? '', hint);
          assert.doesNotMatch(error.message, /hush/);
          return true;
        },
      );
    }
  });

  it('takes those that ask for what happens anyway, and warns about what has no effect', () => {
    const same = ['--no-push', '--tls-verify=true', '--format=oci', '--insecure=false'];
    assert.deepEqual(build(...same, '--reproducible=false', '--tls-verify', '.').warnings, []);
    assert.equal(build('--push', '--no-push', '.').flags.push, false);
    assert.equal(build('.').flags.push, undefined);
    assert.equal(build('--push', '.').flags.push, true);
    const { warnings } = build('--retry', '3', '--push-retry=2', '--cleanup', '.');
    assert.equal(warnings.length, 3);
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
