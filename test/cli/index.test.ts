import assert from 'node:assert/strict';
import { parseArgs } from '../../src/cli/args.ts';
import { hasCode } from '../../src/errors.ts';

describe('tsbuild index create', () => {
  it('takes sources, names, outputs, and the platforms that there must be (T-35)', () => {
    const line =
      '-t a:1 --tag=b -o type=oci,dest=x --platform linux/amd64 --platform linux/arm64 --insecure-registry reg:5000';
    const argv = [
      'index',
      'create',
      ...line.split(' '),
      '--allow-fewer',
      '--push',
      'one.tar',
      'two',
    ];
    assert.deepEqual(parseArgs(argv), {
      kind: 'index',
      flags: {
        sources: ['one.tar', 'two'],
        tags: ['a:1', 'b'],
        outputs: ['type=oci,dest=x'],
        platform: 'linux/amd64,linux/arm64',
        allowFewer: true,
        push: true,
        insecureRegistries: ['reg:5000'],
        quiet: false,
      },
    });
    assert.equal(parseArgs(['index', 'create', '--help']).kind, 'help');
  });

  it('leaves a directory named "index" to be built', () => {
    for (const argv of [['index'], ['index', '-q'], ['./index']]) {
      const command = parseArgs(argv);
      assert.ok(command.kind === 'build');
      assert.equal(command.flags.context, argv[0]);
    }
  });

  it('refuses another word, with both ways out', () => {
    assert.throws(
      () => parseArgs(['index', 'crate', 'a.tar']),
      (error) => {
        assert.ok(hasCode(error, 'ERR_USAGE'));
        assert.match(error.hint ?? '', /"tsbuild index create .*"tsbuild \.\/index"/);
        return true;
      },
    );
  });
});
