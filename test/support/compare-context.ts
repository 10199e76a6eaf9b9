/** The files that test/e2e/fixtures/compare/Dockerfile copies. */

import { execFile } from 'node:child_process';
import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** What git would not keep: links of both kinds, modes, an archive with owners in it. */
export async function writeCompareContext(context: string): Promise<void> {
  const tree = join(context, 'tree');
  await mkdir(join(tree, 'folder/deep/deeper'), { recursive: true });
  await mkdir(join(tree, 'folder/none'), { mode: 0o700 });
  await writeFile(join(tree, 'file'), 'a file\n', { mode: 0o640 });
  await writeFile(join(tree, 'folder/script'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(tree, 'folder/deep/deeper/large'), Buffer.alloc(300_000, 'x'));
  await symlink('folder/script', join(tree, 'link'));
  await symlink('/nowhere', join(tree, 'dangling'));
  await link(join(tree, 'file'), join(tree, 'folder/hard'));
  const owners = ['--owner=some:4444', '--group=some:5555'];
  await execute('tar', ['-C', tree, ...owners, '-czf', join(context, 'archive.tar.gz'), '.']);
}
