/**
 * src/ and parser/ into dist/: the command (dist/cli.js and what it imports when it needs it), the two
 * library entries, and GitHub's action as one file. Declarations come from tsc (.ci/tsconfig.types.json).
 */

import { chmodSync, globSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { writeStamp } from './fresh.mjs';

const began = Date.now();
const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.22',
  minifySyntax: true,
  minifyWhitespace: true,
  // Leaves out undici's second HTTP parser, 165 KB that are never used.
  define: { esbuildDetection: '1' },
  legalComments: 'linked',
  logLevel: 'warning',
  // CommonJS packages ask for Node's modules by require(). Not by an import: the parser shares a chunk
  // with them, and runs in browsers too, where there is neither.
  banner: {
    js: "const require=globalThis.process?.getBuiltinModule?.('node:module').createRequire(import.meta.url);",
  },
};
const { metafile } = await build({
  ...common,
  entryPoints: { cli: 'src/cli/entry.ts', index: 'src/index.ts', parser: 'parser/index.ts' },
  outdir: 'dist',
  // Every dynamic import becomes a file of its own: undici, chevrotain, … cost nothing until used.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  metafile: true,
});
// A module by its name, wherever a runner puts it.
await build({ ...common, entryPoints: ['src/action/entry.ts'], outfile: 'dist/action.mjs' });
chmodSync('dist/cli.js', 0o755);
// Only now: a build that runs meanwhile keeps the chunks it was started with until the new ones are there.
for (const chunk of globSync('dist/chunks/*')) {
  if (metafile.outputs[chunk] === undefined) rmSync(chunk);
}
writeStamp('dist/.stamp', began);
