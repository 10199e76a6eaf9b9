import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fixFile } from '../../src/cli/run-fix.ts';
import { readCall } from '../../src/cli/call.ts';
import { type BuildOptions, hasCode } from '../../src/index.ts';
import { runIn } from '../support/run-command.ts';
import { withDirectory } from '../support/temporary.ts';

const WRONG = 'FROM scratch as One\r\n# why\r\nENV a  b\r\nFROM scratch\r\nCOPY --from=One a /\r\n';
const RIGHT = 'FROM scratch AS one\r\n# why\r\nENV a=b\r\nFROM scratch\r\nCOPY --from=one a /\r\n';

async function inFolder(
  text: string,
  use: (folder: string, options: BuildOptions) => Promise<void>,
): Promise<void> {
  await withDirectory(async (folder) => {
    const context = join(folder, 'context');
    await mkdir(context);
    await writeFile(join(context, 'Dockerfile'), text);
    await use(context, { context, store: join(folder, 'store') });
  });
}

describe('--fix', () => {
  it('needs --check', () => {
    assert.throws(
      () => readCall({ fix: true }),
      (error) => hasCode(error, 'ERR_USAGE'),
    );
    assert.throws(
      () => readCall({ fix: true, call: 'outline' }),
      (error) => hasCode(error, 'ERR_USAGE'),
    );
    assert.deepEqual(readCall({ fix: true, check: true }), {
      kind: 'check',
      format: 'text',
      ignoreStatus: false,
      fix: true,
    });
  });

  it('mends the file, keeps the rest and its mode, says what it did and what is left', async () => {
    await inFolder(WRONG, async (folder, options) => {
      const path = join(folder, 'Dockerfile');
      await chmod(path, 0o640);
      const { text, result } = await fixFile(options);
      assert.equal(await readFile(path, 'utf8'), RIGHT);
      assert.equal((await stat(path)).mode & 0o777, 0o640);
      assert.match(text, /^Applied 3 fixes to Dockerfile\.\nDockerfile:1: /);
      assert.deepEqual(result.warnings, []);
      assert.deepEqual(await readdir(folder), ['Dockerfile']);
      const again = await fixFile(options);
      assert.equal(again.text, 'Applied no fixes to Dockerfile.\n\n');
    });
  });

  it('writes where a link points to, and leaves the link', async () => {
    await inFolder(WRONG, async (folder, options) => {
      await symlink('Dockerfile', join(folder, 'link'));
      await fixFile({ ...options, dockerfile: join(folder, 'link') });
      assert.equal(await readFile(join(folder, 'Dockerfile'), 'utf8'), RIGHT);
      assert.deepEqual((await readdir(folder)).toSorted(), ['Dockerfile', 'link']);
    });
  });

  it('leaves a file alone that does not parse, or that is not UTF-8', async () => {
    await inFolder(`${WRONG}RUM x\r\n`, async (folder, options) => {
      const { result } = await fixFile(options);
      assert.ok(result.error !== undefined);
      assert.equal(await readFile(join(folder, 'Dockerfile'), 'utf8'), `${WRONG}RUM x\r\n`);
    });
    await inFolder('', async (folder, options) => {
      const bytes = Buffer.concat([Buffer.from('# '), Buffer.of(0xe9), Buffer.from(`\n${WRONG}`)]);
      await writeFile(join(folder, 'Dockerfile'), bytes);
      await assert.rejects(fixFile(options), (error) => hasCode(error, 'ERR_OUTPUT_FAILED'));
      assert.deepEqual(await readFile(join(folder, 'Dockerfile')), bytes);
      assert.deepEqual(await readdir(folder), ['Dockerfile']);
    });
  });

  it('refuses a Dockerfile that is no file here', async () => {
    await inFolder(WRONG, async (_, options) => {
      for (const more of [
        { dockerfile: Buffer.from(WRONG) },
        { dockerfile: 'https://localhost/Dockerfile' },
        { context: 'https://localhost/x.git' },
        { context: Buffer.from('') },
      ]) {
        await assert.rejects(fixFile({ ...options, ...more }), (error) =>
          hasCode(error, 'ERR_USAGE'),
        );
      }
    });
  });

  it('works from the command line, and exits as a check of the new file does', async () => {
    await inFolder(WRONG, async (folder) => {
      const { code, stdout, stderr } = await runIn(folder, '--check', '--fix', '.');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^Applied 3 fixes [^]*\n\nCheck complete, no warnings found\.\n$/);
      assert.equal(await readFile(join(folder, 'Dockerfile'), 'utf8'), RIGHT);
    });
  });
});
