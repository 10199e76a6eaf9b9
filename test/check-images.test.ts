import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, check, type CheckResult, hasCode } from '../src/index.ts';
import { type ImageOptions, makeImage } from './support/image.ts';
import { startRegistry, type TestRegistry } from './support/registry.ts';
import { runOn } from './support/run-command.ts';
import { withDirectory } from './support/temporary.ts';

const TEXT = (image: string): string =>
  `FROM ${image} as base\nENV HERE=$HOMELAND\nCMD echo\nFROM base\nENV THERE=$HOMELAND\nCMD echo\n`;

describe('check of a Dockerfile on an image of a registry', () => {
  let registry: TestRegistry;

  beforeEach(async () => {
    registry = await startRegistry();
  });

  afterEach(async () => {
    await registry.close();
  });

  async function checked(
    text: string,
    more: Partial<BuildOptions> = {},
    times = 1,
  ): Promise<CheckResult> {
    return await withDirectory(async (folder) => {
      await mkdir(join(folder, 'context'));
      await writeFile(join(folder, 'context/Dockerfile'), text);
      const options = { context: join(folder, 'context'), platform: 'linux/amd64', ...more };
      const store = join(folder, 'store');
      for (let time = 1; time < times; time++) await check({ ...options, store });
      return await check({ ...options, store });
    });
  }

  async function add(image: ImageOptions): Promise<string> {
    registry.add('base', '1', await makeImage(image));
    return `${registry.host}/base:1`;
  }

  const rulesOf = ({ warnings }: CheckResult): readonly string[] =>
    warnings.flatMap(({ rule, level, range }) =>
      level === 'warning' ? `${rule} ${range.start.line}` : [],
    );

  it('knows the variables and the shell that the image sets', async () => {
    const plain = await add({ config: {} });
    assert.deepEqual(rulesOf(await checked(TEXT(plain))), [
      'FromAsCasing 1',
      'UndefinedVar 2',
      'JSONArgsRecommended 3',
      'UndefinedVar 5',
      'JSONArgsRecommended 6',
    ]);
    const rich = await add({ config: { Env: ['HOMELAND=x'], Shell: ['/bin/bash', '-c'] } });
    assert.deepEqual(rulesOf(await checked(TEXT(rich))), ['FromAsCasing 1']);
  });

  it('checks the triggers of the image, at the FROM that runs them', async () => {
    const image = await add({ config: { OnBuild: ['ENV a=$nowhere', 'ARG known=1'] } });
    const { warnings } = await checked(`FROM ${image}\nENV b=$known\n`);
    assert.deepEqual(
      warnings.map(({ rule, range }) => [rule, range.start.line]),
      [['UndefinedVar', 1]],
    );
  });

  it('tells that the image is for another platform', async () => {
    const image = await add({ platform: { os: 'linux', architecture: 'arm64' } });
    const { warnings } = await checked(`FROM ${image}\n`);
    assert.deepEqual(
      warnings.map(({ rule }) => rule),
      ['InvalidBaseImagePlatform'],
    );
  });

  it('fetches the manifest and the config, once for all stages, and no layer', async () => {
    const image = await makeImage();
    registry.add('base', '1', image);
    const name = `${registry.host}/base:1`;
    await checked(`FROM ${name}\nFROM ${name}\nFROM ${name}\n`);
    const blobs = registry.log.filter((line) => line.includes('/blobs/'));
    assert.deepEqual(blobs, [`GET /v2/base/blobs/${image.config.descriptor.digest}`]);
    for (const { descriptor } of image.layers) {
      assert.ok(registry.log.every((line) => !line.includes(descriptor.digest)));
    }
  });

  it('asks for no config that the store has', async () => {
    const image = await add({});
    await checked(`FROM ${image}\n`, {}, 2);
    assert.equal(registry.log.filter((line) => line.includes('/blobs/')).length, 1);
  });

  it('says what cannot be found, and still what needs no image (CHK-4)', async () => {
    const text = `${TEXT(`${registry.host}/absent`)}FROM scratch\nENV x $y\n`;
    const result = await checked(text);
    assert.ok(hasCode(result.error, 'ERR_IMAGE_NOT_FOUND'));
    assert.equal(result.error.location?.range.start.line, 1);
    assert.deepEqual(rulesOf(result), [
      'FromAsCasing 1',
      'UndefinedVar 8',
      'LegacyKeyValueFormat 8',
    ]);
  });

  it('says which registry does not answer, and asks it once', async () => {
    const { host } = registry;
    await registry.close();
    const text = `FROM ${host}/a as a\nFROM ${host}/b\nFROM ${host}/c\nCMD x\n`;
    const result = await checked(text);
    assert.ok(hasCode(result.error, 'ERR_REGISTRY_UNREACHABLE'));
    assert.deepEqual(result.error.others, []);
    assert.deepEqual(rulesOf(result), ['FromAsCasing 1']);
    const { code, stdout, stderr } = await runOn(text, '--check');
    assert.equal(code, 3);
    assert.match(stdout, /^Check complete, 1 warning\b/);
    assert.match(stderr, /ERR_REGISTRY_UNREACHABLE/);
    registry = await startRegistry();
  });
});
