import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import { Devices } from '../../src/solve/devices.ts';
import { parseHostDevice } from '../../src/solve/host-device.ts';
import { withDirectory } from '../support/temporary.ts';

/** Asks what there is where these files are: `directory/file` to text, or to a document for JSON. */
async function withSpecs(
  files: Readonly<Record<string, unknown>>,
  use: (devices: Devices) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const places = ['first', 'second', 'missing'].map((name) => join(directory, name));
    for (const place of places.slice(0, 2)) await mkdir(place);
    for (const [name, content] of Object.entries(files)) {
      const text = typeof content === 'string' ? content : JSON.stringify(content);
      await writeFile(join(directory, name), text);
    }
    await use(new Devices(places));
  });
}

const spec = (kind: string, ...names: readonly string[]) => ({
  cdiVersion: '0.6.0',
  kind,
  devices: names.map((name) => ({ name, containerEdits: { env: [`NAME=${name}`] } })),
});

const names = async (devices: Devices, name: string): Promise<readonly string[]> =>
  (await devices.find(name)).map((found) => found.name);

describe('Devices', () => {
  it('finds one by its name, the first of a kind, and all of it (RUN-3)', async () => {
    await withSpecs({ 'first/gpu.json': spec('v.com/gpu', '1', '0', 'a.b:c') }, async (devices) => {
      assert.deepEqual(await names(devices, 'v.com/gpu=1'), ['v.com/gpu=1']);
      assert.deepEqual(await names(devices, 'v.com/gpu'), ['v.com/gpu=0']);
      const all = ['v.com/gpu=0', 'v.com/gpu=1', 'v.com/gpu=a.b:c'];
      assert.deepEqual(await names(devices, 'v.com/gpu=*'), all);
      assert.deepEqual(await names(devices, 'v.com/gpu=2'), []);
      assert.deepEqual(await names(devices, 'v.com/npu'), []);
    });
  });

  it('finds those of a class, and knows which are for every build', async () => {
    const annotations = { 'org.mobyproject.buildkit.device.class': 'big' };
    const free = { 'org.mobyproject.buildkit.device.autoallow': 'true' };
    const devices = [
      { name: 'a', annotations, containerEdits: {} },
      { name: 'b', containerEdits: {} },
      { name: 'c', annotations: { ...annotations, ...free }, containerEdits: {} },
    ];
    await withSpecs({ 'first/x.json': { ...spec('v.com/gpu'), devices } }, async (offers) => {
      const found = await offers.find('v.com/gpu=big');
      assert.deepEqual(
        found.map(({ name, isFree }) => [name, isFree]),
        [
          ['v.com/gpu=a', false],
          ['v.com/gpu=c', true],
        ],
      );
    });
  });

  it('reads YAML too, and takes of two directories the later', async () => {
    const yaml = `cdiVersion: "0.6.0"
kind: v.com/gpu
devices:
  - name: "0"
    containerEdits:
      env: [NAME=yaml]
      deviceNodes: [{ path: /dev/../srv/gpu0, hostPath: /dev/gpu0, fileMode: 438 }]
`;
    const files = { 'first/gpu.json': spec('v.com/gpu', '0', '1'), 'second/gpu.yaml': yaml };
    await withSpecs(files, async (devices) => {
      const found = await devices.find('v.com/gpu=*');
      const env = found.map(({ device }) => device.edits.env);
      assert.deepEqual(env, [['NAME=yaml'], ['NAME=1']]);
      const { path, hostPath, mode } = found[0]?.device.edits.nodes[0] ?? {};
      assert.deepEqual(
        { path, hostPath, mode },
        { path: '/srv/gpu0', hostPath: '/dev/gpu0', mode: 0o666 },
      );
    });
  });

  it('goes on without a file that is wrong, and tells it when a device is missed', async () => {
    const files = {
      'first/a.json': '{',
      'first/b.yaml': 'a: [',
      'first/c.json': { ...spec('no-kind', '0') },
      'first/d.json': spec('v.com/gpu', '0'),
      'first/e.json': spec('v.com/twice', '0'),
      'first/f.json': spec('v.com/twice', '0'),
      'first/g.json': { cdiVersion: '0.6.0', kind: 'v.com/x', devices: [{ name: '/' }] },
      'first/notes.txt': 'none',
    };
    await withSpecs(files, async (devices) => {
      assert.deepEqual(await names(devices, 'v.com/gpu'), ['v.com/gpu=0']);
      assert.deepEqual(await names(devices, 'v.com/twice'), []);
      const error = await devices.missing('v.com/twice=0');
      assert.ok(hasCode(error, 'ERR_SANDBOX_UNAVAILABLE'));
      assert.match(error.message, /required device "v.com\/twice=0" is not registered/);
      assert.match(error.hint ?? '', /Devices of this machine: v.com\/gpu=0 /);
      for (const file of ['a.json', 'b.yaml', 'c.json', 'g.json']) {
        assert.match(error.hint ?? '', new RegExp(`/first/${file}" cannot be used: `));
      }
      assert.match(error.hint ?? '', /Two files of "[^"]*first" have the device "v.com\/twice=0"/);
    });
  });

  it('refuses a name that can be none, with the flag for files of this machine', async () => {
    await assert.rejects(new Devices([]).find('/dev/fuse'), (error) => {
      assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
      assert.match(error.hint ?? '', /--device \/dev\/NAME/);
      return true;
    });
  });
});

describe('parseHostDevice()', () => {
  it('has a path in RUN, which is the same or another, without ".." and slashes at its end', () => {
    const pathOf = (text: string): string => parseHostDevice(text).path;
    assert.equal(pathOf('/dev/fuse'), '/dev/fuse');
    assert.equal(pathOf('/dev/fuse:rwm'), '/dev/fuse');
    assert.equal(pathOf('/dev/fuse:/dev/other:rw'), '/dev/other');
    assert.equal(pathOf('/dev/fuse:/opt/../../srv/fuse/'), '/srv/fuse');
  });
});
