/** The git repository that a workflow runs for, as a build context (ACT-3). */

import { readFile } from 'node:fs/promises';
import type { Environment } from '../cli/environment.ts';
import { usage } from '../cli/argv.ts';

/** What stands for it in an input. */
const PLACEHOLDER = /\{\{\s*defaultContext\s*\}\}/g;

/** Whether an input's text asks for it. */
export function hasPlaceholder(text: string): boolean {
  return text.search(PLACEHOLDER) !== -1;
}

export function replacePlaceholder(text: string, context: string): string {
  return text.replaceAll(PLACEHOLDER, () => context);
}

/**
 * The address of the repository at the commit of the event; for a pull request that is its merge, or its head
 * where DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF is true. @throws ERR_USAGE outside of a workflow
 */
export async function defaultContext(environment: Environment): Promise<string> {
  const url = repositoryUrl(environment);
  const commit = (await pullRequestHead(environment)) ?? environment['GITHUB_SHA'];
  if (url === undefined || !commit) {
    throw usage(
      'Cannot find the repository: GITHUB_REPOSITORY and GITHUB_SHA are not set',
      'Outside of a workflow, name the context.',
    );
  }
  return `${url}#${commit}`;
}

/** The address of the repository, for git; undefined outside of a workflow. */
export function repositoryUrl(environment: Environment): string | undefined {
  const { GITHUB_REPOSITORY } = environment;
  return GITHUB_REPOSITORY ? `${serverUrl(environment)}/${GITHUB_REPOSITORY}.git` : undefined;
}

/** Whether a context is that repository, at any commit, or a directory of it. */
export function isOwnRepository(context: string, environment: Environment): boolean {
  const url = repositoryUrl(environment);
  return url !== undefined && (context === url || context.startsWith(`${url}#`));
}

/** The page of this run, which is who builds. */
export function runUrl(environment: Environment): string | undefined {
  const { GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT } = environment;
  if (!GITHUB_REPOSITORY || !GITHUB_RUN_ID) return undefined;
  const attempt = GITHUB_RUN_ATTEMPT ? `/attempts/${GITHUB_RUN_ATTEMPT}` : '';
  return `${serverUrl(environment)}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}${attempt}`;
}

/** `host[:port]` of the server: what a secret with its token is named after (ACT-4). */
export function serverHost(environment: Environment): string {
  return new URL(serverUrl(environment)).host;
}

/** Without a slash at its end. */
function serverUrl({ GITHUB_SERVER_URL }: Environment): string {
  return (GITHUB_SERVER_URL || 'https://github.com').replace(/\/+$/, '');
}

async function pullRequestHead(environment: Environment): Promise<string | undefined> {
  const { GITHUB_EVENT_PATH, DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF } = environment;
  if (DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF !== 'true' || !GITHUB_EVENT_PATH) return undefined;
  const event = JSON.parse(await readFile(GITHUB_EVENT_PATH, 'utf8')) as EventFile;
  return event.pull_request?.head?.sha;
}

/** The part of the event's file that is read. */
interface EventFile {
  readonly pull_request?: { readonly head?: { readonly sha?: string } };
}
