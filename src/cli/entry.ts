#!/usr/bin/env node
/** The command's file: sets Node up before anything else is loaded. */

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { cacheDirectory } from './cache-directory.ts';

// Not Node's default below /tmp, where others could put code that we would run.
enableCompileCache(
  process.env['NODE_COMPILE_CACHE'] ?? join(cacheDirectory(process.env), 'tsbuild-compiled'),
);
// What a build walks is not kept, but V8 would let its young generation grow to some 150 MB for it. Not
// at once: code that was compiled under other flags is not used, and a short build is made of loading.
setTimeout(() => setFlagsFromString('--semi-space-growth-factor=1'), 300).unref();
// Node writes its compile cache last, which is to be of V8's own flags.
process.once('exit', () => setFlagsFromString('--semi-space-growth-factor=2'));
const { main } = await import('./main.ts');
await main();
