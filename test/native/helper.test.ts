import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openHelper } from '../../native/index.ts';
import { PROTOCOL_VERSION } from '../../native/protocol.ts';
import { locateHelper } from '../../native/locate.ts';
import { hasCode } from '../../src/errors.ts';
import { inlineFile, itAsRoot, signal, withHelper, writeList } from '../support/data-plane.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

/** An executable that stands in for the helper. */
async function script(directory: string, text: string): Promise<string> {
  const path = join(directory, 'fake-helper');
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

/** A hello frame, as printf writes it. */
function hello(protocol: number): string {
  const json = `{"protocol":${protocol},"version":"0"}`;
  return `printf '\\${json.length.toString(8)}\\0\\0\\0\\6\\0\\0\\0\\0%s' '${json}'`;
}

describe('locateHelper()', () => {
  it('rejects a binary that is not there with ERR_HELPER_MISSING, telling what was tried', () => {
    assert.throws(
      () => locateHelper('/nowhere/helper'),
      (error) =>
        hasCode(error, 'ERR_HELPER_MISSING') && error.details.tried.includes('/nowhere/helper'),
    );
  });
});

describe('openHelper()', () => {
  it('refuses a helper of another protocol with ERR_HELPER_MISMATCH, and ends it', async () => {
    await withDirectory(async (directory) => {
      const binary = await script(directory, `${hello(99)}\ncat >/dev/null\n: > "$0.gone"`);
      await assert.rejects(
        openHelper({ mode: 'plain', binary }),
        (error) =>
          hasCode(error, 'ERR_HELPER_MISMATCH') &&
          error.details.expected === String(PROTOCOL_VERSION) &&
          error.details.found === '99',
      );
      assert.ok((await readdir(directory)).includes('fake-helper.gone'));
    });
  });

  it('tells the last words of a helper that dies', async () => {
    await withDirectory(async (directory) => {
      const binary = await script(directory, 'echo out of luck >&2; exit 7');
      await assert.rejects(
        openHelper({ mode: 'plain', binary }),
        (error) => hasCode(error, 'ERR_HELPER_FAILED') && /code 7.*out of luck/.test(error.message),
      );
    });
  });

  it('rejects what is no program', async () => {
    await withDirectory(async (directory) => {
      const binary = join(directory, 'no-program');
      await writeFile(binary, '\u007fELF broken', { mode: 0o755 });
      await assert.rejects(openHelper({ mode: 'plain', binary }), (error) =>
        hasCode(error, 'ERR_HELPER_FAILED'),
      );
    });
  });

  it('ends with this process, also when that is killed', async () => {
    const child = `
      import { openHelper } from ${JSON.stringify(new URL('../../native/index.ts', import.meta.url).href)};
      await openHelper({ mode: 'plain', binary: ${JSON.stringify(HELPER)} });
      const { readdirSync, readFileSync } = await import('node:fs');
      const children = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8');
      process.stdout.write(children, () => process.kill(process.pid, 'SIGKILL'));`;
    let output = '';
    try {
      execFileSync(process.execPath, ['--input-type=module-typescript', '-e', child]);
    } catch (error) {
      output = String((error as { stdout: Buffer }).stdout);
    }
    const [pid = ''] = output.trim().split(' ');
    assert.match(pid, /^\d+$/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    // Without an init that reaps, it stays as a zombie.
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX');
    assert.match(status, /^State:\s[XZ]/m);
  });
});

describe('a call', () => {
  it('rejects when the helper dies, as do all calls after it', async () => {
    await withDirectory(async (directory) => {
      const text = `${hello(PROTOCOL_VERSION)}\nhead -c 20 >/dev/null\necho a panic >&2\nexit 3`;
      const helper = await openHelper({ mode: 'plain', binary: await script(directory, text) });
      const died = (error: unknown) =>
        hasCode(error, 'ERR_HELPER_FAILED') && /code 3.*a panic/.test(error.message);
      const calls = [1, 2].map(() => helper.remove({ paths: ['/nowhere/x'] }, { signal }));
      const outcomes = await Promise.allSettled(calls);
      assert.ok(outcomes.every((outcome) => outcome.status === 'rejected' && died(outcome.reason)));
      await assert.rejects(helper.remove({ paths: [] }, { signal }), died);
      await helper.close();
    });
  });

  itAsRoot('tells which signal ended the process that serves in the namespaces', async () => {
    await withDirectory(async (scratch) => {
      const opened = await openHelper({ mode: 'root', binary: HELPER, scratch });
      const child = (of: number | string) =>
        execFileSync('pgrep', ['-n', '-P', `${of}`, 'tsbuild-helper'])
          .toString()
          .trim();
      process.kill(Number(child(child(process.pid))), 'SIGKILL');
      const removing = opened.remove({ paths: [] }, { signal });
      await assert.rejects(removing, (error) => /SIGKILL/.test(String(error)));
      await opened.close();
    });
  });

  it('is not made when the signal is aborted already', async () => {
    await withHelper(async (helper, directory) => {
      const reason = new Error('never mind');
      const kept = join(directory, 'kept');
      await mkdir(kept);
      await assert.rejects(
        helper.remove({ paths: [kept] }, { signal: AbortSignal.abort(reason) }),
        (error) => error === reason,
      );
      assert.deepEqual(await readdir(directory), ['kept']);
    });
  });

  it('leaves no listener on its signal', async () => {
    await withHelper(async (helper) => {
      const controller = new AbortController();
      await helper.remove({ paths: [] }, { signal: controller.signal });
      const failing = { list: '/nowhere/list', roots: [], files: [] };
      await assert.rejects(helper.compose(failing, { signal: controller.signal }));
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
    });
  });

  it('runs beside others', async () => {
    await withHelper(async (helper, directory) => {
      const list = await writeList(join(directory, 'list'), [inlineFile('a', 'text')]);
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          helper.compose(
            { list, roots: [], files: [], directory: join(directory, `layer-${i}`) },
            { signal },
          ),
        ),
      );
      assert.equal(new Set(replies.map(({ index }) => index.identity)).size, 1);
      assert.equal((await readdir(directory)).length, 21);
    });
  });

  it('explains an errno: what, to which path, and why', async () => {
    await withHelper(async (helper) => {
      await assert.rejects(
        helper.compose({ list: '/nowhere/list', roots: [], files: [] }, { signal }),
        (error) =>
          hasCode(error, 'ERR_HELPER_FAILED') &&
          error.message === 'Cannot open "/nowhere/list": no such file or directory (ENOENT)' &&
          error.details.operation === 'Open',
      );
    });
  });
});
