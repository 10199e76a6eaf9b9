import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
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
      'JSONArgsRecommended 3',
      'JSONArgsRecommended 6',
      'UndefinedVar 8',
      'LegacyKeyValueFormat 8',
    ]);
  });

  it('goes on without images whose registry does not answer, and says which', async () => {
    const { host } = registry;
    await registry.close();
    const text = `FROM ${host}/a as a\nENV b=$c\nFROM ${host}/b AS bee\nCMD x\nFROM ${host}/c\nFROM bee\nENV d=\${e:?}\nFROM scratch\nENV f=$g\n`;
    const result = await checked(text);
    assert.equal(result.error, undefined);
    assert.deepEqual(
      result.unseenImages.map(({ image, reason }) => [
        image,
        reason.code,
        reason.location?.range.start.line,
      ]),
      ['a', 'b', 'c'].map((name, index) => [
        `${host}/${name}:latest`,
        'ERR_REGISTRY_UNREACHABLE',
        index * 2 + 1,
      ]),
    );
    assert.deepEqual(rulesOf(result), [
      'FromAsCasing 1',
      'JSONArgsRecommended 4',
      'UndefinedVar 9',
    ]);
    const { code, stdout, stderr } = await runOn(text, '--check');
    assert.equal(code, 1);
    assert.match(stdout, /^Check complete, 3 warnings\b/);
    assert.match(
      stderr,
      /^NOTE: Dockerfile:1: Cannot access "\S+\/a:latest": \S+ is not reachable/,
    );
    const clean = await runOn(`FROM ${host}/a:1\n`, '--check', '--call=format=json');
    assert.equal(clean.code, 0);
    assert.match(clean.stdout, /"unseenImages": \[\s*\{\s*"image": "\S+\/a:1",/);
    registry = await startRegistry();
  });

  it('asks a registry that answers nothing about one image only', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const address = server.address();
      const host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
      const result = await checked(`FROM ${host}/a\nFROM ${host}/b\nFROM ${host}/c\n`);
      assert.equal(result.error, undefined);
      assert.equal(result.unseenImages.length, 3);
      assert.equal(connections, 4, 'by both schemes, and one more try, as a connection can break');
    } finally {
      await new Promise((settle) => server.close(settle));
    }
  });

  it('goes on without images that it may not see, and without those of a failing registry', async () => {
    const { host } = registry;
    registry.faults.answers = [{ status: 403 }, { status: 429 }, { status: 429 }];
    const { unseenImages, error } = await checked(
      `FROM ${host}/a\nFROM ${host}/b\nFROM ${host}/a\n`,
    );
    assert.equal(error, undefined);
    assert.deepEqual(unseenImages.map(({ reason }) => reason.code).toSorted(), [
      'ERR_REGISTRY_DENIED',
      'ERR_REGISTRY_FAILED',
    ]);
  });
});
