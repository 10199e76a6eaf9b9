#!/usr/bin/env node
/** The command's file: turns the compile cache on before anything else is loaded. */

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDirectory } from './cache-directory.ts';

// Not Node's default below /tmp, where others could put code that we would run.
enableCompileCache(
  process.env['NODE_COMPILE_CACHE'] ?? join(cacheDirectory(process.env), 'tsbuild-compiled'),
);
const { main } = await import('./main.ts');
await main();
