import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { directoryFiles } from '../../src/context/context-files.ts';
import {
  type DockerfileText,
  findDockerfile,
  readDockerfile as readNamed,
} from '../../src/context/dockerfile.ts';
import { hasCode } from '../../src/errors.ts';
import { withDirectory } from '../support/temporary.ts';

/** Of a local context. */
async function readDockerfile(context: string, file: string | undefined): Promise<DockerfileText> {
  return file === undefined ? await findDockerfile(directoryFiles(context)) : await readNamed(file);
}

/** A directory with these files, each with its name as content. */
async function withFiles(
  names: readonly string[],
  use: (directory: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    for (const name of names) await writeFile(join(directory, name), name);
    await use(directory);
  });
}

describe('readDockerfile()', () => {
  const lookups: readonly (readonly [there: readonly string[], found: string])[] = [
    [['Dockerfile', 'dockerfile', 'Containerfile'], 'Dockerfile'],
    [['dockerfile', 'Containerfile'], 'dockerfile'],
    [['Containerfile'], 'Containerfile'],
  ];
  for (const [there, found] of lookups) {
    it(`reads ${found} where there is ${there.join(', ')} (CTX-2)`, async () => {
      await withFiles(there, async (directory) => {
        const { name, text, place } = await readDockerfile(directory, undefined);
        assert.deepEqual([name, text, place?.path], [found, found, found]);
      });
    });
  }

  it('reads the file that is named, wherever it is, and calls it so (CTX-1)', async () => {
    await withFiles(['Dockerfile', 'other'], async (directory) => {
      const name = relative(process.cwd(), join(directory, 'other'));
      const found = await readDockerfile('/nowhere', name);
      assert.deepEqual([found.name, found.text, found.place?.path], [name, 'other', 'other']);
    });
  });

  it('follows a symlink (CTX-2)', async () => {
    await withFiles(['other'], async (directory) => {
      await symlink('other', join(directory, 'Dockerfile'));
      const { name, text } = await readDockerfile(directory, undefined);
      assert.deepEqual({ name, text }, { name: 'Dockerfile', text: 'other' });
    });
  });

  it('rejects a context without a Dockerfile, and says where -f looks', async () => {
    await withFiles([], async (directory) => {
      await assert.rejects(readDockerfile(directory, undefined), (error) => {
        assert.ok(hasCode(error, 'ERR_DOCKERFILE_MISSING'));
        assert.equal(error.details.path, join(directory, 'Dockerfile'));
        assert.match(error.hint ?? '', /relative to the working directory/);
        return true;
      });
    });
  });

  it('rejects a file that is named and missing, whatever the context has', async () => {
    await withFiles(['Dockerfile'], async (directory) => {
      const wanted = join(directory, 'Dockerfile', 'x');
      await assert.rejects(readDockerfile(directory, wanted), {
        code: 'ERR_DOCKERFILE_MISSING',
        message: `Cannot read the Dockerfile "${wanted}": no such file`,
        details: { path: wanted },
      });
    });
  });

  it('rejects a directory', async () => {
    await withDirectory(async (directory) => {
      await mkdir(join(directory, 'Dockerfile'));
      await assert.rejects(readDockerfile(directory, undefined), {
        code: 'ERR_DOCKERFILE_MISSING',
        message: `Cannot read the Dockerfile "${join(directory, 'Dockerfile')}": it is a directory`,
      });
    });
  });

  it('rejects a symlink that leads to itself', async () => {
    await withDirectory(async (directory) => {
      await symlink('Dockerfile', join(directory, 'Dockerfile'));
      await assert.rejects(readDockerfile(directory, undefined), {
        code: 'ERR_DOCKERFILE_MISSING',
      });
    });
  });
});
