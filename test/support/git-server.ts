/** Git repositories for tests, and a server for them: git's own CGI program behind node's. */

import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { missing } from './missing.ts';

/** Why a test with git cannot run here; undefined when it can. */
export const noGit = missing('git');

/** Runs git in a directory, with nobody's configuration; answers its output without the last line break. */
export async function git(directory: string, ...args: readonly string[]): Promise<string> {
  return await gitAt(DATE, directory, ...args);
}

/** The same; what it commits is of this time. */
export async function gitAt(
  date: string,
  directory: string,
  ...args: readonly string[]
): Promise<string> {
  const { stdout } = await promisify(execFile)('git', [...args], {
    cwd: directory,
    env: {
      ...{ PATH: process.env['PATH'], HOME: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
      ...{ GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@x.test', GIT_AUTHOR_DATE: date },
      ...{ GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@x.test', GIT_COMMITTER_DATE: date },
    },
  });
  return stdout.trimEnd();
}

/** The time of every commit, in seconds. */
export const COMMIT_TIME = 1_600_000_000;
const DATE = `${COMMIT_TIME} +0000`;

/** Makes `ROOT/NAME.git` with one commit of these files on `main`; answers its directory. */
export async function makeRepository(
  root: string,
  name: string,
  files: Readonly<Record<string, string>>,
  format: 'sha1' | 'sha256' = 'sha1',
): Promise<string> {
  const directory = join(root, `${name}.git`);
  await mkdir(directory, { recursive: true });
  await git(directory, 'init', '-q', '-b', 'main', `--object-format=${format}`);
  await commitFiles(directory, files);
  return directory;
}

/** A commit more; answers its name. */
export async function commitFiles(
  directory: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  await git(directory, 'add', '-A');
  await git(directory, 'commit', '-q', '--allow-empty', '-m', 'c');
  return await git(directory, 'rev-parse', 'HEAD');
}

/** Like `git submodule add`, without its own opinion of addresses. */
export async function addSubmodule(
  repository: string,
  path: string,
  url: string,
  target: string,
): Promise<void> {
  const commit = await git(target, 'rev-parse', 'HEAD');
  await git(repository, 'config', '-f', '.gitmodules', `submodule.${path}.path`, path);
  await git(repository, 'config', '-f', '.gitmodules', `submodule.${path}.url`, url);
  await git(repository, 'add', '.gitmodules');
  await git(repository, 'update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
  await git(repository, 'commit', '-q', '-m', 'submodule');
}

export interface GitServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly host: string;
  /** One for each request: what was asked of which path. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface GitServerOptions {
  /** Others are answered 401. */
  readonly authorize?: (header: string | undefined) => boolean;
  /** Protocol 0 refuses commits that no ref names. */
  readonly isOld?: boolean;
  /** Answers requests itself; `false`: it is git's turn. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Serves the repositories below a directory over HTTP. */
export async function serveGit(root: string, options: GitServerOptions = {}): Promise<GitServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (options.intercept?.(request, response) === true) return;
    if (options.authorize?.(request.headers.authorization) === false) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    runBackend(root, request, response, options.isOld === true);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('no port');
  const host = `127.0.0.1:${address.port}`;
  return {
    ...{ url: `http://${host}`, host, requests },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function runBackend(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  isOld: boolean,
): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://x.test');
  const { headers } = request;
  const protocol = isOld ? undefined : headers['git-protocol'];
  const child = spawn('git', ['-c', 'safe.directory=*', 'http-backend'], {
    env: {
      ...{ PATH: process.env['PATH'], HOME: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
      ...{ GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', REMOTE_ADDR: '127.0.0.1' },
      ...{ PATH_INFO: pathname, QUERY_STRING: search.slice(1), REQUEST_METHOD: request.method },
      ...{ CONTENT_TYPE: headers['content-type'], CONTENT_LENGTH: headers['content-length'] },
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
      ...(protocol !== undefined && { GIT_PROTOCOL: String(protocol) }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('error', () => response.writeHead(500).end());
  child.on('close', () => {
    const output = Buffer.concat(chunks);
    const end = output.indexOf('\r\n\r\n');
    const lines = output.subarray(0, end).toString('latin1').split('\r\n');
    const pairs = lines.map((line) => line.split(': ') as [string, string]);
    const status = Number(pairs.find(([name]) => name === 'Status')?.[1].slice(0, 3) ?? 200);
    const sent = pairs.filter(([name]) => name !== 'Status');
    response.writeHead(status, Object.fromEntries(sent)).end(output.subarray(end + 4));
  });
}
