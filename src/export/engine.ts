/** Loads an image into the container engine of this machine: docker through its socket, or podman. */

import { once } from 'node:events';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { streamArchive } from './archive.ts';
import type { ExportOptions, ExportResult } from './export-result.ts';
import { isErrno, outputFailure } from './failure.ts';
import { loadIntoPodman } from './podman.ts';

/** Where the engine is. */
export interface Engine {
  /** As DOCKER_HOST: `unix://PATH` or `tcp://HOST:PORT`; undefined: docker's own socket, else podman. */
  readonly address: string | undefined;
  /** For tcp, the directory of `ca.pem`, `cert.pem` and `key.pem`; undefined: no TLS. */
  readonly certificates: string | undefined;
}

const DOCKER_SOCKET = '/var/run/docker.sock';
/** What an engine says is short; what is longer is no engine's. */
const MAX_ANSWER = 1024 * 1024;
/** Nobody is there, or it is not for us. */
const NOT_THERE = ['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM'];

/** Loads an archive with its names. @throws ERR_OUTPUT_FAILED, ERR_UNSUPPORTED for an address of another kind */
export async function loadIntoEngine(
  result: ExportResult,
  engine: Engine,
  options: ExportOptions,
): Promise<void> {
  const { address = `unix://${DOCKER_SOCKET}` } = engine;
  try {
    await postTo(await targetOf(address, engine.certificates), result, options);
  } catch (error) {
    const isLeft = engine.address === undefined && isErrno(error, ...NOT_THERE);
    if (!isLeft || options.signal.aborted) throw failureOf(error, address, options.signal);
    await loadIntoPodman(result, options, {
      missing: () => noEngine(failureOf(error, address, options.signal)),
    });
  }
}

async function targetOf(
  address: string,
  certificates: string | undefined,
): Promise<RequestOptions & { readonly isSecure: boolean }> {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(address) ?? [];
  if (scheme === 'unix') return { socketPath: rest, isSecure: false };
  if (!['tcp', 'http', 'https'].includes(scheme) || !URL.canParse(`http://${rest}`)) {
    throw new TsbuildError('ERR_UNSUPPORTED', {
      message: `Cannot load into the engine at "${address}"`,
      details: { feature: 'this address of an engine' },
      hint: 'It is unix://PATH or tcp://HOST:PORT. Or write "-o type=docker,dest=-" into "docker load".',
    });
  }
  const { hostname: written, port } = new URL(`http://${rest}`);
  const hostname = written.replace(/^\[(.*)\]$/, '$1');
  if (certificates === undefined && scheme !== 'https') {
    return { hostname, port: port || 2375, isSecure: false };
  }
  const { readFile } = await import('node:fs/promises');
  const read = async (name: string): Promise<Buffer | undefined> =>
    certificates === undefined ? undefined : await readFile(join(certificates, name));
  const [ca, cert, key] = await Promise.all(['ca.pem', 'cert.pem', 'key.pem'].map(read));
  const tls = ca && cert && key ? { ca, cert, key } : {};
  return { hostname, port: port || 2376, ...tls, isSecure: true };
}

async function postTo(
  { isSecure, ...target }: RequestOptions & { readonly isSecure: boolean },
  result: ExportResult,
  options: ExportOptions,
): Promise<void> {
  const { request } = await import(isSecure ? 'node:https' : 'node:http');
  const post: ClientRequest = request({
    ...target,
    method: 'POST',
    path: '/images/load?quiet=1',
    // Kept alive until the answer is read: who is to close it does so while we still write.
    headers: {
      // A socket's file has no name; and the name of any other is what its certificate must have.
      ...(target.socketPath !== undefined && { host: 'engine' }),
      connection: 'keep-alive',
      'content-type': 'application/x-tar',
    },
    agent: false,
  });
  const answer = answerOf(post);
  const refused = new AbortController();
  // Whoever has refused needs no more of it.
  answer.catch((said: unknown) => refused.abort(said));
  const signal = AbortSignal.any([options.signal, refused.signal]);
  try {
    await connected(post, signal);
    await streamArchive(post, result, { ...options, signal });
    post.end();
    await answer;
  } catch (error) {
    // An engine that hung up may have said why: that is still to be read.
    if (options.signal.aborted || post.socket?.destroyed !== true) post.destroy();
    options.signal.throwIfAborted();
    // What the engine says is a better reason than that it hung up.
    throw await answer.then(
      () => error,
      (said: unknown) => (said instanceof Refused ? said : error),
    );
  } finally {
    post.destroy();
  }
}

/** So that nothing is read from the store for nobody. */
async function connected(post: ClientRequest, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const [socket] = (await once(post, 'socket', { signal })) as [
    NodeJS.Socket & { connecting: boolean },
  ];
  if (socket.connecting) await once(socket, 'connect', { signal });
}

/** What the engine said instead of loading the image. */
class Refused extends Error {}

/** An engine tells failures in its status, or in its answer, which is one line of JSON for each thing to say. */
async function answerOf(post: ClientRequest): Promise<void> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    post.once('response', resolve);
    post.on('error', reject);
    post.once('close', () => reject(new Error('The engine closed the connection')));
  });
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length > MAX_ANSWER) throw new Refused('It does not answer as an engine does');
  }
  const { statusCode = 0 } = response;
  const lines = text.split('\n').map(parseLine);
  const error = lines.findLast((line) => line.error !== undefined)?.error;
  const message = lines.findLast((line) => line.message !== undefined)?.message;
  if (error !== undefined) throw new Refused(error);
  if (statusCode !== 200) throw new Refused(message ?? `It answered ${statusCode}`);
}

function parseLine(line: string): { readonly error?: string; readonly message?: string } {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return {};
    const { error, message } = value as { readonly error?: unknown; readonly message?: unknown };
    return {
      ...(typeof error === 'string' && { error }),
      ...(typeof message === 'string' && { message }),
    };
  } catch {
    return {};
  }
}

function failureOf(error: unknown, address: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const failure = outputFailure(error, address, signal);
  if (!(failure instanceof TsbuildError) || failure.code !== 'ERR_OUTPUT_FAILED') return failure;
  return new TsbuildError('ERR_OUTPUT_FAILED', {
    message: failure.message.replace('Cannot write the image to', 'Cannot load the image into'),
    details: { path: address },
    hint: isErrno(error, ...NOT_THERE)
      ? 'Is the engine running, and may this user use it? DOCKER_HOST says where it is.'
      : failure.hint,
    cause: error,
  });
}

function noEngine(failure: unknown): unknown {
  if (!(failure instanceof TsbuildError)) return failure;
  return new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `${failure.message}, and there is no podman`,
    details: { path: DOCKER_SOCKET },
    hint: 'Start docker, set DOCKER_HOST, install podman, or write a file: -o type=docker,dest=FILE.',
    cause: failure,
  });
}
