/** Talks to one remote: who we are to it, tries again, and words for what went wrong. */

import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorDetails, TsbuildError } from '../errors.ts';
import { type GitCredentials, gitCredentials } from './git-credentials.ts';
import { type GitResult, hasSshAgent, runGit } from './git-process.ts';
import { type GitSource, redactGitUrl } from './git-url.ts';

type Reason = ErrorDetails['ERR_GIT_FAILED']['reason'];

/** What fetching needs besides the address. */
export interface RemoteOptions {
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** The repository that the build names; another one for its submodules. */
  readonly top: GitSource;
  readonly knownHosts: string;
  readonly signal: AbortSignal;
}

/** A command of git that is given the remote's address. */
export interface RemoteCommand {
  readonly args: (address: string) => readonly string[];
  readonly gitDirectory?: string;
}

/** Pauses before the second and the third try, in milliseconds. */
const PAUSES = [300, 1500];

export class GitRemote {
  readonly source: GitSource;
  readonly #credentials: GitCredentials;
  readonly #options: RemoteOptions;
  /** Where it is: what the source says, or where its server has sent us. */
  #address: string;

  constructor(source: GitSource, options: RemoteOptions) {
    this.source = source;
    this.#options = options;
    this.#address = source.remote;
    this.#credentials = gitCredentials(source, { ...options, hasAgent: hasSshAgent() });
  }

  /** The settings that a command needs which may talk to the remote. */
  get config(): GitCredentials['config'] {
    return this.#credentials.config;
  }

  /** The repository that the build names. */
  get top(): GitSource {
    return this.#options.top;
  }

  /** Runs a command that talks to the remote; again when the network failed. Answers failures, too. */
  async run({ args, gitDirectory }: RemoteCommand): Promise<GitResult> {
    const { signal, knownHosts } = this.#options;
    const { config } = this.#credentials;
    const once = async (): Promise<GitResult> =>
      await runGit({
        args: args(this.#address),
        ...(gitDirectory !== undefined && { gitDirectory }),
        ...{ config, knownHosts, signal },
      });
    await this.#requireVersion();
    let result = await once();
    if (REDIRECTED.test(result.stderr) && (await this.#follow())) result = await once();
    for (const pause of PAUSES) {
      if (result.exitCode === 0 || result.isMissing || reasonOf(result) !== 'network') break;
      await delay(pause, undefined, { signal }).catch(() => undefined);
      result = await once();
    }
    return result;
  }

  /**
   * git would send our header wherever a server sends it. So it follows nobody when it has one, and
   * we follow for it, on the same server. @throws ERR_GIT_FAILED for another one
   */
  async #follow(): Promise<boolean> {
    const { signal } = this.#options;
    const target = await redirectOf(this.#address, this.#credentials.header, signal);
    if (target === undefined) return false;
    if (new URL(target).origin !== new URL(this.#address).origin) {
      const shown = redactGitUrl(target);
      throw this.error(`it has moved to "${shown}", where no credentials are sent`, 'denied');
    }
    this.#address = target;
    return true;
  }

  /** Older ones would not see our settings, and read the user's instead. */
  async #requireVersion(): Promise<void> {
    const result = await runGit({ args: ['version'], signal: this.#options.signal });
    if (result.exitCode !== 0) throw this.failure(result);
    const [, major = '', minor = ''] = /(\d+)\.(\d+)/.exec(result.stdout) ?? [];
    if (Number(major) * 1000 + Number(minor) >= 2032) return;
    throw this.error(`this machine has ${result.stdout.trim()}`, 'no-git');
  }

  /** What a failed command comes to. */
  failure(result: GitResult): TsbuildError {
    const reason = reasonOf(result);
    return this.#error(this.#lastWords(result), reason, this.#hint(reason));
  }

  /** @param why what went wrong, without anything secret */
  error(why: string, reason: Reason): TsbuildError {
    // A server that has answered has what it has: that is no matter of credentials.
    const hint =
      reason === 'not-found'
        ? `Look at what it has with "git ls-remote ${this.source.shown}".`
        : this.#hint(reason);
    return this.#error(why, reason, hint);
  }

  #error(why: string, reason: Reason, hint: string | undefined): TsbuildError {
    const { shown, ref } = this.source;
    const what = ref === undefined ? `"${shown}"` : `"${shown}" at "${ref}"`;
    return new TsbuildError('ERR_GIT_FAILED', {
      message: `Cannot fetch ${what}: ${why}`,
      details: { url: shown, ref, reason },
      hint,
    });
  }

  #hint(reason: Reason): string | undefined {
    const { tried } = this.#credentials;
    switch (reason) {
      case 'no-git':
        return 'Install git 2.32 or newer ("apt-get install git", "apk add git"), or clone the repository before the build.';
      case 'network':
        return 'It was tried three times. Look at the address, the proxy variables and the network.';
      case 'denied':
        return `${tried} ${this.source.transport === 'ssh' ? SSH_HELP : TOKEN_HELP}`;
      case 'not-found':
        return `Look at the address. Servers answer so for private repositories as well: ${lowerFirst(tried)}`;
      case 'content':
        return undefined;
    }
  }

  /** git's own reason: its first "fatal:" or "error:" line, without anything secret. */
  #lastWords({ stderr, isMissing, exitCode }: GitResult): string {
    if (isMissing) return 'there is no git on this machine';
    const lines = stderr.split('\n').filter((line) => line.trim() !== '');
    const line =
      lines.find((text) => /^(?:fatal|error|ssh|remote|.*Permission denied)/.test(text)) ??
      lines.at(-1);
    const words = (line ?? `git ended with ${exitCode ?? 'a signal'}`)
      .replace(
        /^(?:fatal|error|remote): (?:ERR |remote error: )?(?:unable to access '[^']*': )?/i,
        '',
      )
      .replaceAll(/\/\/[^/@\s]*@/g, '//')
      .replace(/\.$/, '');
    return this.#credentials.secrets.reduce(
      (text, secret) => text.replaceAll(secret, '***'),
      words,
    );
  }
}

/** Where a server says that a repository is now. */
async function redirectOf(
  address: string,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const query = '/info/refs?service=git-upload-pack';
  const headers = authorization === undefined ? {} : { authorization };
  try {
    const response = await fetch(`${address}${query}`, { redirect: 'manual', headers, signal });
    await response.body?.cancel();
    const { href } = new URL(response.headers.get('location') ?? '', `${address}${query}`);
    return href.endsWith(query) && href !== `${address}${query}`
      ? href.slice(0, -query.length)
      : undefined;
  } catch {
    signal.throwIfAborted();
    // Then git's own words are the ones to tell.
    return undefined;
  }
}

const REDIRECTED = /returned error: 30[1278]/;

const TOKEN_HELP =
  'Pass a token with --secret id=GIT_AUTH_TOKEN,env=VARIABLE, or for one server with the id GIT_AUTH_TOKEN.HOST.';
const SSH_HELP =
  'Load a key with ssh-add; if the server has a new host key, look at ~/.ssh/known_hosts.';

const DENIED =
  /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Permission denied|returned error: 40[13]|Host key verification failed|HTTP Basic: Access denied|IDENTIFICATION HAS CHANGED/i;
const NOT_FOUND =
  /repository .*not found|Repository not found|returned error: 404|not exported|couldn't find remote ref|does not appear to be a git repository|not our ref|unadvertised object/i;
const NETWORK =
  /Could not resolve|Failed to connect|Couldn't connect|Connection (?:refused|reset|timed out|closed)|unable to connect|early EOF|RPC failed|disconnect|hung up|timed? ?out|returned error: (?:5\d\d|429)|SSL|TLS|Empty reply|Recv failure|Network is unreachable|Temporary failure/i;

function reasonOf({ stderr, isMissing }: GitResult): Reason {
  if (isMissing) return 'no-git';
  if (DENIED.test(stderr)) return 'denied';
  if (NOT_FOUND.test(stderr)) return 'not-found';
  return NETWORK.test(stderr) ? 'network' : 'content';
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
