import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseDockerfile } from '../../parser/index.ts';
import { checkJson, checkText } from '../../src/cli/check-text.ts';
import { outlineJson, targetsText } from '../../src/cli/list-text.ts';
import { checkSarif } from '../../src/cli/sarif.ts';
import { check, outline, targets } from '../../src/index.ts';
import { planBuild } from '../../src/plan/plan.ts';
import { makeImage } from '../support/image.ts';
import { itUnless } from '../support/missing.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { runIn } from '../support/run-command.ts';
import { withDirectory } from '../support/temporary.ts';

const files = globSync(resolve('../shared/corpus/realworld/*ocker*')).toSorted();
const reason = files.length > 0 ? undefined : 'there is no ../shared/corpus beside the project';

/** For these the command itself runs, too. */
const SMOKE = files.filter((_, index) => index % 18 === 0);

describe('check of real Dockerfiles', () => {
  let registry: TestRegistry;

  before(async () => {
    registry = await startRegistry();
    registry.add('any', '1', await makeImage());
  });

  after(async () => {
    await registry.close();
  });

  /** Each file alone in a context, every image that it names replaced: no test asks the world's registries. */
  async function forEach(
    some: readonly string[],
    use: (folder: string, contexts: Readonly<Record<string, string>>) => Promise<void>,
  ): Promise<void> {
    for (const file of some) {
      await withDirectory(async (folder) => {
        const text = readFileSync(file, 'utf8');
        await writeFile(join(folder, 'Dockerfile'), text);
        const any = `docker-image://${registry.host}/any:1`;
        const names = await imagesOf(text);
        await use(folder, Object.fromEntries(names.map((name) => [name, any])));
      }).catch((error: unknown) => {
        throw new Error(`${basename(file)}: ${String(error)}`, { cause: error });
      });
    }
  }

  itUnless(reason)(`has findings or none for each of ${files.length}, and no bug`, async () => {
    await forEach(files, async (context, buildContexts) => {
      const platform = 'linux/amd64';
      const options = { context, store: join(context, 'store'), buildContexts, platform };
      const result = await check(options);
      const wrong = [result.error, ...(result.error?.others ?? [])].map((each) => each?.code);
      assert.ok(!wrong.some((code) => /REGISTRY|IMAGE_NOT_FOUND/.test(code ?? '')), wrong.join());
      assert.doesNotThrow(() => JSON.parse(checkJson(result)));
      assert.doesNotThrow(() => JSON.parse(checkSarif(result, { uri: 'a', version: '1.0.0' })));
      assert.ok(result.error !== undefined || checkText(result).startsWith('Check complete, '));
      assert.ok(targetsText(await targets(options)).startsWith('TARGET '));
      if (result.error === undefined) JSON.parse(outlineJson(await outline(options)));
    });
  });

  itUnless(reason)(`ends with 0 or 1 for ${SMOKE.length} of them on the command line`, async () => {
    await forEach(SMOKE, async (folder, contexts) => {
      const flags = Object.entries(contexts).map(([name, value]) => `${name}=${value}`);
      const argv = flags.flatMap((flag) => ['--build-context', flag]);
      const { code, stdout, stderr } = await runIn(folder, '--check', ...argv, '.');
      assert.ok(code === 0 || code === 1, stderr);
      assert.ok(stdout !== '' || stderr !== '');
    });
  });
});

/** The images that a build of any of its stages asks for. */
async function imagesOf(text: string): Promise<readonly string[]> {
  const names = new Set<string>();
  const dockerfile = parseDockerfile(text);
  const platform = { os: 'linux', architecture: 'amd64' };
  const stages = dockerfile.instructions.filter(({ kind }) => kind === 'from');
  for (const index of stages.keys()) {
    await planBuild(dockerfile, {
      target: String(index),
      buildArgs: {},
      platform,
      buildPlatform: platform,
      network: 'default',
      namedContexts: new Map(),
      resolveImage: (name) => {
        names.add(name);
        const rootfs = { type: 'layers' as const, diff_ids: [] };
        return Promise.resolve({ config: { ...platform, config: {}, rootfs, history: [] } });
      },
      // What is wrong is the check's to find.
    }).catch(() => undefined);
  }
  return [...names];
}
