import assert from 'node:assert/strict';
import { createRunner } from '../../src/action/runner.ts';
import { hasCode } from '../../src/index.ts';
import { createTestRunner } from '../support/action-runner.ts';
import { withDirectory } from '../support/temporary.ts';

describe('createRunner()', () => {
  it('sets outputs of any text, which end no other', async () => {
    await withDirectory(async (folder) => {
      const test = await createTestRunner(folder);
      const runner = createRunner(test.environment({}), () => undefined);
      const values = { one: 'a\nb<<c\nEOF\n', two: 'x<<tsbuild_\ny', three: '' };
      for (const [name, value] of Object.entries(values)) await runner.setOutput(name, value);
      assert.deepEqual((await test.read('')).outputs, values);
    });
  });

  it('escapes what commands say', async () => {
    await withDirectory(async (folder) => {
      let log = '';
      const test = await createTestRunner(folder);
      const runner = createRunner({}, (text) => (log += text));
      const [title, message] = ['a,b=c::d%2C', '100%\r\n::error::x'];
      runner.command('warning', message, { title, line: 3, file: undefined });
      const { commands } = await test.read(log);
      assert.deepEqual(commands, [{ name: 'warning', properties: { title, line: '3' }, message }]);
    });
  });

  it('rejects an output that cannot be written, but not a summary', async () => {
    let log = '';
    const environment = { GITHUB_OUTPUT: '/none/output', GITHUB_STEP_SUMMARY: '/none/summary' };
    const runner = createRunner(environment, (text) => (log += text));
    await assert.rejects(runner.setOutput('digest', 'x'), (error) =>
      hasCode(error, 'ERR_OUTPUT_FAILED'),
    );
    await runner.addSummary('x');
    assert.match(log, /^NOTE: Cannot write the summary: .*ENOENT/);
  });
});
