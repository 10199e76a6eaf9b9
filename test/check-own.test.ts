import assert from 'node:assert/strict';
import { build, type BuildEvent, type BuildOptions, check, fix, hasCode } from '../src/index.ts';
import { makeImage } from './support/image.ts';
import { inContext } from './support/in-context.ts';
import { startRegistry } from './support/registry.ts';
import { runOn } from './support/run-command.ts';

async function onAmd64<T>(text: string, use: (options: BuildOptions) => Promise<T>): Promise<T> {
  return await inContext(text, use, { platform: 'linux/amd64' });
}

const TOKEN = `ghp_${'a1B2'.repeat(9)}`;
const NOTE = 'FROM scratch AS one\nFROM scratch\nCOPY Dockerfile /\n';
const SEVERE = `FROM scratch\nLABEL t=${TOKEN}\n`;

describe('own checks', () => {
  it('tell notes in a check, where they are no failure, even with error=true', async () => {
    const text = `# check=error=true\n${NOTE}`;
    const { warnings, error } = await onAmd64(text, check);
    assert.deepEqual(
      warnings.map(({ rule, level }) => [rule, level]),
      [['UnusedStage', 'note']],
    );
    assert.equal(error, undefined);
    const { code, stdout } = await runOn(text, '--check');
    assert.equal(code, 0);
    assert.match(stdout, /^NOTE: UnusedStage - docs\/rules\/unused-stage\.md$/m);
  });

  it('tell warnings in a check, where error=true makes them fail', async () => {
    const { warnings, error } = await onAmd64(SEVERE, check);
    assert.deepEqual([warnings[0]?.rule, error], ['CredentialInDockerfile', undefined]);
    const failed = await onAmd64(`# check=error=true\n${SEVERE}${NOTE}`, check);
    assert.ok(hasCode(failed.error, 'ERR_INSTRUCTION_INVALID'));
    assert.match(failed.error.message, /for rules: CredentialInDockerfile$/);
    assert.equal((await runOn(SEVERE, '--check')).code, 1);
    assert.equal(
      (await runOn(`# check=skip=CredentialInDockerfile\n${SEVERE}`, '--check')).code,
      0,
    );
  });

  it('tell a build only what is severe', async () => {
    const noticesOf = async (text: string): Promise<readonly string[]> =>
      await onAmd64(text, async (options) => {
        const notices: string[] = [];
        const onEvent = (event: BuildEvent): void => {
          if (event.kind === 'notice') notices.push(event.message.split(':')[0] ?? '');
        };
        await build({ ...options, onEvent });
        return notices;
      });
    assert.deepEqual(await noticesOf(NOTE), []);
    assert.deepEqual(await noticesOf(SEVERE), ['CredentialInDockerfile']);
    assert.deepEqual(await noticesOf(`# check=skip=all\n${SEVERE}`), []);
  });

  it('hold where a base image cannot be had, but wait where the Dockerfile is wrong', async () => {
    const rules = async (text: string): Promise<readonly string[]> =>
      (await onAmd64(text, check)).warnings.map(({ rule }) => rule);
    const text = 'FROM localhost:1/a\nRUN apk add b\n';
    assert.deepEqual(await rules(text), ['UnpinnedBase', 'ApkCacheKept']);
    assert.deepEqual(await rules(`${text}RUM c\n`), []);
    assert.deepEqual(await rules('FROM scratch\nRUN apk add b\nCOPY --from=7 a /\n'), []);
  });

  it('know the user and the entrypoint of the base image', async () => {
    const registry = await startRegistry();
    try {
      const fixed = async (config: object): Promise<readonly [string, readonly string[]]> => {
        registry.add('base', '1', await makeImage({ config }));
        const text = `FROM ${registry.host}/base:1\nCMD run it\n`;
        const { source, warnings } = await onAmd64(text, fix);
        return [source.split('\n')[1] ?? '', warnings.map(({ rule }) => rule)];
      };
      assert.deepEqual(await fixed({}), ['CMD ["run", "it"]', ['RunsAsRoot']]);
      assert.deepEqual(await fixed({ User: 'app', Entrypoint: ['/x'] }), [
        'CMD run it',
        ['JSONArgsRecommended'],
      ]);
    } finally {
      await registry.close();
    }
  });
});
