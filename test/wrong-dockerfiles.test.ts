import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkText } from '../src/cli/check-text.ts';
import { renderReport } from '../src/cli/report.ts';
import { build, check } from '../src/index.ts';
import { withDirectory } from './support/temporary.ts';

const PAGE = resolve(import.meta.dirname, '../docs/wrong-dockerfiles.md');

/** A section: the Dockerfile, what BuildKit says, the command, and what that prints. */
const SECTION =
  /(## (\d+)\. [^\n]+\n[^]*?```dockerfile\n([^`]*)```\n\nBuildKit:\n\n```text\n[^`]*```\n\n`(tsbuild[^`]*)`:\n\n```text\n)([^]*?)(?=```\n)/g;

/**
 * Our side of the page is what the code prints now: `UPDATE_PAGES=1 npx mocha` writes it anew.
 * BuildKit's side is from its source, by hand.
 */
describe('docs/wrong-dockerfiles.md', () => {
  it('has what tsbuild prints for each of its ten Dockerfiles', async () => {
    const page = await readFile(PAGE, 'utf8');
    const sections = [...page.matchAll(SECTION)];
    assert.deepEqual(
      sections.map(([, , number]) => Number(number)),
      Array.from({ length: 10 }, (_, index) => index + 1),
    );
    let expected = page;
    for (const [whole, head = '', , dockerfile = '', command = ''] of sections) {
      const output = await outputOf(dockerfile, command);
      expected = expected.replace(whole, () => head + output);
    }
    if (process.env['UPDATE_PAGES'] === '1') await writeFile(PAGE, expected);
    else assert.equal(page, expected);
  });
});

/** In a context with a package.json. */
async function outputOf(dockerfile: string, command: string): Promise<string> {
  return await withDirectory(async (folder) => {
    const context = join(folder, 'context');
    await mkdir(context);
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    await writeFile(join(context, 'package.json'), '{}');
    const options = { context, store: join(folder, 'store'), platform: 'linux/amd64' };
    const report = (error: unknown): string =>
      renderReport(error, { step: undefined, color: false, debug: false });
    if (command === 'tsbuild .') return await build(options).then(() => '', report);
    assert.equal(command, 'tsbuild --check .');
    const result = await check(options);
    return checkText(result) + (result.error === undefined ? '' : report(result.error));
  });
}
