import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf, packageImports, relativeImports } from './support/imports.ts';

/**
 * Who may import whom: a folder is a layer, imports go down only. This table is the rule's home;
 * ARCHITECTURE.md draws it.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/errors.ts': [],
  'package.json': [],
  'src/oci': ['src/errors.ts'],
  parser: ['src/errors.ts'],
  native: ['src/errors.ts', 'src/oci'],
  'src/tree': ['src/errors.ts', 'src/oci'],
  'src/progress': ['src/errors.ts', 'src/oci'],
  // Connections of registries and downloads: their proxies, certificates and retries are the same.
  'src/http': [],
  'src/registry': ['src/errors.ts', 'src/oci', 'src/http'],
  cache: ['src/errors.ts', 'src/oci', 'src/tree'],
  // Pure, and what both ADD and build contexts mean by an address: a layer of its own.
  'src/context/git-url.ts': ['src/errors.ts'],
  'src/plan': ['src/errors.ts', 'src/oci', 'parser', 'src/context/git-url.ts'],
  'src/context': [
    'src/errors.ts',
    'src/oci',
    'src/tree',
    'native',
    'src/http',
    'src/context/git-url.ts',
  ],
  'src/export': ['src/errors.ts', 'src/oci', 'cache'],
  // Pure but for a database that has to be a file; it knows nothing of how a build runs.
  'src/attest': ['src/errors.ts', 'src/oci', 'src/tree', 'src/export', 'package.json'],
  'src/options.ts': ['src/errors.ts', 'src/oci', 'src/context', 'src/progress'],
  'src/solve': [
    'src/errors.ts',
    'src/oci',
    'src/tree',
    'src/plan',
    'src/context',
    'src/context/git-url.ts',
    'parser',
    'src/http',
    'src/registry',
    'cache',
    'native',
    'src/progress',
  ],
  'src/outputs.ts': ['src/errors.ts', 'src/oci', 'src/export', 'src/options.ts'],
  'src/request.ts': [
    'src/errors.ts',
    'src/oci',
    'src/attest',
    'src/plan',
    'src/context',
    'src/context/git-url.ts',
    'src/solve',
    'parser',
    'src/progress',
    'src/export',
    'src/options.ts',
    'src/outputs.ts',
  ],
  'src/platforms.ts': [
    'src/errors.ts',
    'src/oci',
    'src/plan',
    'src/solve',
    'parser',
    'src/request.ts',
  ],
  'src/input.ts': [
    'src/errors.ts',
    'src/context',
    'src/context/git-url.ts',
    'src/solve',
    'src/progress',
    'src/options.ts',
    'src/request.ts',
  ],
  'src/unseen-images.ts': ['src/errors.ts', 'src/oci', 'src/plan', 'src/solve', 'src/request.ts'],
  'src/certain-warnings.ts': ['src/errors.ts', 'src/plan', 'parser', 'src/unseen-images.ts'],
  'src/check.ts': [
    'src/errors.ts',
    'src/oci',
    'src/plan',
    'src/context',
    'src/context/git-url.ts',
    'src/solve',
    'parser',
    'src/progress',
    'src/options.ts',
    'src/request.ts',
    'src/input.ts',
    'src/unseen-images.ts',
    'src/certain-warnings.ts',
  ],
  'src/outline.ts': [
    'src/errors.ts',
    'src/plan',
    'src/context',
    'parser',
    'src/progress',
    'src/options.ts',
    'src/request.ts',
    'src/input.ts',
    'src/unseen-images.ts',
  ],
  'src/context-ls.ts': [
    'src/errors.ts',
    'src/tree',
    'src/plan',
    'src/context',
    'src/solve',
    'parser',
    'src/progress',
    'src/options.ts',
    'src/request.ts',
    'src/input.ts',
    'src/platforms.ts',
  ],
  // It tells what the builds' own code finds; nothing depends on it but the API.
  'src/doctor': [
    'src/errors.ts',
    'src/oci',
    'src/context',
    'src/http',
    'src/registry',
    'src/solve',
    'cache',
    'src/options.ts',
    'src/request.ts',
  ],
  // It looks at images that are there, and changes none: nothing depends on it but the API.
  'src/diff': [
    'src/errors.ts',
    'src/oci',
    'src/tree',
    'src/registry',
    'src/solve',
    'cache',
    'src/progress',
    'src/export',
    'src/options.ts',
    'src/request.ts',
  ],
  // What comes after the steps: documents, attestations, outputs, pushes, the answer.
  'src/finish': [
    'src/errors.ts',
    'src/oci',
    'src/tree',
    'src/attest',
    'src/plan',
    'src/context',
    'src/solve',
    'src/registry',
    'cache',
    'src/progress',
    'src/export',
    'src/options.ts',
    'src/request.ts',
    'src/input.ts',
  ],
  'src/push.ts': [
    'src/errors.ts',
    'src/oci',
    'src/registry',
    'src/solve',
    'src/progress',
    'src/export',
    'src/options.ts',
    'src/request.ts',
    'src/finish',
  ],
  'src/join': ['src/errors.ts', 'src/oci', 'src/registry', 'src/solve', 'src/export'],
  'src/create-index.ts': [
    'src/errors.ts',
    'src/oci',
    'src/registry',
    'src/solve',
    'src/progress',
    'src/export',
    'src/join',
    'src/options.ts',
    'src/outputs.ts',
    'src/finish',
    'src/request.ts',
  ],
  'src/named-epoch.ts': ['src/plan', 'parser', 'src/request.ts', 'src/input.ts'],
  'src/build.ts': [
    'src/named-epoch.ts',
    'src/errors.ts',
    'src/oci',
    'src/tree',
    'src/plan',
    'src/context',
    'src/context/git-url.ts',
    'src/solve',
    'parser',
    'src/registry',
    'cache',
    'native',
    'src/progress',
    'src/export',
    'src/options.ts',
    'src/request.ts',
    'src/input.ts',
    'src/check.ts',
    'src/platforms.ts',
    'src/finish',
  ],
  'src/index.ts': [
    'src/doctor',
    'src/diff',
    'src/build.ts',
    'src/check.ts',
    'src/outline.ts',
    'src/context-ls.ts',
    'src/options.ts',
    'src/context',
    'src/errors.ts',
    'src/oci',
    'src/progress',
    'src/unseen-images.ts',
    'src/push.ts',
    'src/create-index.ts',
  ],
  'src/cli': ['src/index.ts', 'package.json'],
  // Another door to the same command: inputs are flags.
  'src/action': ['src/index.ts', 'src/cli'],
};

/** These are entered through their index.ts by everybody else. */
const ENTERED_BY_INDEX = ['parser', 'cache', 'native', 'src/registry', 'src/export'];

/** The one place that may import a package. A new dependency needs a home here, and a reason in DECISIONS.md. */
const PACKAGE_HOMES: Readonly<Record<string, string>> = {
  chevrotain: 'parser/',
  commander: 'src/cli/args.ts',
  'p-queue': 'src/solve/schedule.ts',
  'packageurl-js': 'src/attest/purl.ts',
  'smol-toml': 'src/registry/settings/',
  'spdx-expression-parse': 'src/attest/licenses.ts',
  ssri: 'src/oci/digest.ts',
  'tar-stream': 'src/export/',
  undici: 'src/http/',
  yaml: 'src/solve/devices.ts',
};

/** What only some may touch, and who. */
const BANS: readonly { readonly pattern: RegExp; readonly allowed: readonly string[] }[] = [
  {
    pattern: /node:child_process/,
    // Credential helpers, and the system's git: no library speaks ssh and every server's dialect. And its
    // ssh-agent: keys are in the memory of a program that was made for that.
    allowed: [
      'native/',
      'src/registry/auth.ts',
      'src/context/git-process.ts',
      'src/solve/key-agent.ts',
      // Without a daemon, podman itself is what takes an image.
      'src/export/podman.ts',
      // sudo: only root may tell AppArmor of a program.
      'src/action/helper-profile.ts',
    ],
  },
  {
    pattern: /\bprocess\.(env|exit|exitCode|on|once|argv|stdin|stdout|stderr)\b/,
    // git and ssh-agent see of the environment what is passed on, name by name, and nothing else.
    allowed: ['src/cli/', 'src/action/', 'src/context/git-process.ts', 'src/solve/key-agent.ts'],
  },
  { pattern: /\bconsole\./, allowed: ['src/cli/'] },
];

const files = globSync('{src,parser,cache,native}/**/*.ts', {
  exclude: ['native/target/**'],
}).toSorted();

describe('architecture', () => {
  for (const file of files) {
    it(`${file} imports only what its folder may`, () => {
      const from = unitOf(file);
      for (const to of relativeImports(file)) {
        assert.ok(existsSync(to), `${file} imports ${to}, which is not there`);
        const unit = unitOf(to);
        if (unit === from) continue;
        assert.ok(MAY_IMPORT[from]?.includes(unit), `${from} must not import ${unit}`);
        if (ENTERED_BY_INDEX.includes(unit)) {
          assert.equal(to, `${unit}/index.ts`, `${file} enters ${unit} by a side door`);
        }
      }
      for (const name of packageImports(file)) {
        const home = PACKAGE_HOMES[name];
        assert.ok(home !== undefined, `"${name}" has no home: add it to PACKAGE_HOMES`);
        assert.ok(file.startsWith(home), `"${name}" is imported only in ${home}`);
      }
      for (const { pattern, allowed } of BANS) {
        if (allowed.some((place) => file.startsWith(place))) continue;
        assert.doesNotMatch(codeOf(file), pattern, `only in ${allowed.join(', ')}`);
      }
    });
  }

  it('has units that import downwards only, in the order of the table', () => {
    const order = Object.keys(MAY_IMPORT);
    for (const [from, targets] of Object.entries(MAY_IMPORT)) {
      for (const to of targets)
        assert.ok(order.indexOf(to) < order.indexOf(from), `${from}: ${to}`);
    }
  });

  it('has no cycle between files', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert.ok(!path.includes(file), `a cycle: ${[...path, file].join(' → ')}`);
      if (done.has(file)) return;
      for (const to of relativeImports(file)) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it('has a home for every dependency, and no other', () => {
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    assert.deepEqual(Object.keys(PACKAGE_HOMES).toSorted(), Object.keys(dependencies).toSorted());
  });

  for (const folder of new Set([...files.map(dirname), 'examples', 'test'])) {
    if (folder === 'src' || folder.startsWith('native/')) continue;
    it(`${folder} has a README`, () => {
      assert.ok(existsSync(join(folder, 'README.md')));
    });
  }
});

function unitOf(file: string): string {
  const unit = Object.keys(MAY_IMPORT).find((u) => file === u || file.startsWith(`${u}/`));
  assert.ok(unit !== undefined, `${file} belongs to no unit: add it to MAY_IMPORT`);
  return unit;
}
