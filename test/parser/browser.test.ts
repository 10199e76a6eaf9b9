import assert from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';

/** One script for a browser, which calls itself `tsbuild`. */
async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'tsbuild',
    write: false,
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  assert.ok(file !== undefined);
  return file.text;
}

describe('parser/ in a browser', () => {
  it('runs with the language alone: no process, no Buffer, no require, no console', async () => {
    await checkBundle('parser/index.ts');
  }).timeout(120_000);

  it('does so as the package exports it', async () => {
    await checkBundle('@tsbuild/build/parser');
  }).timeout(120_000);
});

async function checkBundle(entry: string): Promise<void> {
  const context = createContext(Object.create(null));
  runInContext(await bundle(entry), context);
  const run = (code: string): unknown => runInContext(code, context);
  assert.equal(run('typeof process + typeof Buffer + typeof require'), 'undefined'.repeat(3));
  const text = JSON.stringify(
    '# syntax=docker/dockerfile:1\nFROM a AS b\nCOPY --from=b <<E /x\n$y\nE\nRUN ["z"]\n',
  );
  assert.equal(run(`tsbuild.parseDockerfile(${text}).instructions.length`), 3);
  assert.equal(run(`tsbuild.print(tsbuild.parseDockerfile(${text})) === ${text}`), true);
  assert.equal(run('tsbuild.expandWord("${a:-b}$c", () => undefined, { escape: "\\\\" })'), 'b');
  assert.equal(run('tsbuild.parseMount("type=cache,target=/c").kind'), 'cache');
  assert.equal(run('tsbuild.parsePorts(["80-81:90"]).join()'), run('["90/tcp"].join()'));
  assert.equal(run('tsbuild.parseDockerfileWithErrors("FROM a\\nRU b\\nENV c").errors.length'), 2);
  assert.equal(
    run('tsbuild.parseDockerfileWithErrors("FROM a\\nRUN " + "é".repeat(32766)).errors.length'),
    1,
  );
}
