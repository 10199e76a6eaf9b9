import assert from 'node:assert/strict';
import { runOn as run } from '../support/run-command.ts';

const WRONG =
  '\nFROM scratch as base\nCOPY Dockerfile .\nEXPOSE 80\n\n# the end\n\nMAINTAINER me\n';
const RULE = '-'.repeat(20);
const PAGES = 'https://docs.docker.com/go/dockerfile/rule';

describe('tsbuild --check', () => {
  it('prints warnings with their lines, and answers 1 (CHK-2)', async () => {
    const { code, stdout, stderr } = await run(WRONG, '--check');
    const expected = [
      'Check complete, 2 warnings have been found!',
      '',
      `WARNING: FromAsCasing - ${PAGES}/from-as-casing/`,
      "'as' and 'FROM' keywords' casing do not match",
      'Dockerfile:2',
      RULE,
      '   1 |     ',
      '   2 | >>> FROM scratch as base',
      '   3 |     COPY Dockerfile .',
      '   4 |     EXPOSE 80',
      RULE,
      '',
      `WARNING: MaintainerDeprecated - ${PAGES}/maintainer-deprecated/`,
      'Maintainer instruction is deprecated in favor of using label',
      'Dockerfile:8',
      RULE,
      '   6 |     # the end',
      '   7 |     ',
      '   8 | >>> MAINTAINER me',
      '   9 |     ',
      RULE,
      '',
    ];
    assert.equal(stdout, expected.join('\n'));
    assert.deepEqual([code, stderr], [1, '']);
  });

  it('counts one warning as one', async () => {
    const { stdout } = await run('FROM scratch as base\n', '--check');
    assert.ok(stdout.startsWith('Check complete, 1 warning has been found!\n\nWARNING: '));
  });

  it('answers 0 when there is nothing to say', async () => {
    const { code, stdout } = await run('FROM scratch\nCOPY missing /\n', '--call=check');
    assert.deepEqual([code, stdout], [0, 'Check complete, no warnings found.\n']);
  });

  it('answers 0 with ignorestatus=true', async () => {
    assert.equal((await run(WRONG, '--call=check,ignorestatus=true')).code, 0);
  });

  it('prints JSON for programs (CHK-2)', async () => {
    const text = 'FROM scratch as base\n';
    const { code, stdout } = await run(text, '--call=check,format=json');
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), {
      warnings: [
        {
          ruleName: 'FromAsCasing',
          description: "The 'as' keyword should match the case of the 'from' keyword",
          url: `${PAGES}/from-as-casing/`,
          detail: "'as' and 'FROM' keywords' casing do not match",
          location: {
            sourceIndex: 0,
            ranges: [{ start: { line: 1, character: 0 }, end: { line: 1, character: 20 } }],
          },
        },
      ],
      sources: [
        {
          fileName: 'Dockerfile',
          filename: 'Dockerfile',
          language: 'Dockerfile',
          definition: null,
          data: Buffer.from(text).toString('base64'),
        },
      ],
    });
  });

  it('reports what would fail a build, in text and in JSON', async () => {
    const text = '# check=error=true\nFROM scratch as base\n';
    const plain = await run(text, '--check');
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /lint violation found for rules: FromAsCasing \[ERR_/);
    const { stdout, stderr, code } = await run('FROM scratch\nODD\n', '--call=check,format=json');
    assert.deepEqual([code, stderr], [1, '']);
    const { buildError } = JSON.parse(stdout) as {
      readonly buildError: { readonly message: string; readonly location: object };
    };
    assert.match(buildError.message, /unknown instruction: ODD/);
    assert.deepEqual(buildError.location, {
      sourceIndex: 0,
      ranges: [{ start: { line: 2, character: 0 }, end: { line: 2, character: 3 } }],
    });
  });

  it('refuses what it does not know', async () => {
    for (const call of [
      'odd',
      'outlin',
      'check,format=xml',
      'check,odd=1',
      'targets,format=sarif',
    ]) {
      const { code, stdout, stderr } = await run('FROM scratch\n', `--call=${call}`);
      assert.deepEqual([code, stdout], [2, ''], call);
      assert.match(stderr, /^ERROR: /);
    }
  });
});
