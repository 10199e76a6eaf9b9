import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { applyFixes, lint, type LintOptions, parseDockerfile } from '../../../parser/index.ts';
import { OWN_RULES } from '../../../parser/lint/beyond/rules.ts';

const folder = resolve(import.meta.dirname, '../../../docs/rules');
const index = readFileSync(resolve(folder, 'README.md'), 'utf8');
const names = new Set<string>(Object.keys(OWN_RULES));

function block(page: string, title: string): string {
  const text = new RegExp(`## ${title}\\n\\n\`\`\`dockerfile\\n([^]*?)\`\`\``).exec(page)?.[1];
  assert.ok(text !== undefined, `no block "${title}"`);
  return text;
}

describe('docs/rules', () => {
  it('has a page for each own check and for nothing else', () => {
    const pages = readdirSync(folder).map((name) => `docs/rules/${name}`);
    const urls = Object.values(OWN_RULES).map(({ url }): string => url);
    assert.deepEqual(pages.toSorted(), [...urls, 'docs/rules/README.md'].toSorted());
  });

  for (const rule of Object.values(OWN_RULES)) {
    const { name, url } = rule;
    const level = 'level' in rule ? rule.level : 'warning';
    const path = resolve(folder, '../..', url);
    if (!existsSync(path)) continue;
    const page = readFileSync(path, 'utf8');
    const options: LintOptions = {
      beyond: 'all',
      buildArgs: Object.fromEntries(
        [...page.matchAll(/`--build-arg (\w+)=(\S+)`/g)].map(([, key = '', value = '']) => [
          key,
          value,
        ]),
      ),
    };
    const ownRules = (text: string, more?: LintOptions): readonly string[] =>
      lint(parseDockerfile(text), { ...options, ...more }).flatMap(({ rule }) =>
        names.has(rule) ? rule : [],
      );

    it(`${name}: its page says what the check does`, () => {
      assert.ok(page.startsWith(`# ${name}\n\nLevel: ${level}. `));
      assert.deepEqual([...new Set(ownRules(block(page, 'Bad')))], [name]);
      assert.ok(!ownRules(block(page, 'Good')).includes(name));
    });

    it(`${name}: can be turned off, for the file, by the build argument and for all`, () => {
      const bad = block(page, 'Bad');
      assert.ok(page.includes(`\`# check=skip=${name}\``));
      assert.deepEqual(ownRules(`# check=skip=${name}\n${bad}`), []);
      assert.deepEqual(ownRules(`# check=skip=all\n${bad}`), []);
      const buildArgs = { ...options.buildArgs, BUILDKIT_DOCKERFILE_CHECK: `skip=${name}` };
      assert.deepEqual(ownRules(bad, { buildArgs }), []);
      const [line = 1] = lint(parseDockerfile(bad), options).flatMap(({ rule, range }) =>
        rule === name ? range.start.line : [],
      );
      const lines = bad.split('\n');
      lines.splice(line - 1, 0, `# check=skip=${name}`);
      assert.deepEqual(ownRules(lines.join('\n')), []);
    });

    it(`${name}: is off by default; only warnings are severe`, () => {
      const bad = block(page, 'Bad');
      assert.deepEqual(ownRules(bad, { beyond: undefined }), []);
      const severe = ownRules(bad, { beyond: 'severe' });
      assert.deepEqual(severe, level === 'warning' ? ownRules(bad) : []);
    });

    it(`${name}: the index lists it, and says whether it can be fixed`, () => {
      const isFixable = page.includes('`tsbuild --check --fix` does it');
      const file = url.slice('docs/rules/'.length);
      const row = `| [${name}](${file}) | ${level} | ${isFixable ? 'yes' : ''} |`;
      assert.ok(index.includes(row), row);
      const bad = block(page, 'Bad');
      const warnings = lint(parseDockerfile(bad), options);
      const fix = warnings.find(({ rule }) => rule === name)?.fix;
      assert.equal(fix !== undefined, isFixable);
      const { text } = applyFixes(bad, warnings);
      assert.equal(ownRules(text).includes(name), !isFixable);
    });
  }
});
