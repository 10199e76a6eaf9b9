/** What the runner is told: lines of its log, the commands in them, and the files that it names. */

import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import type { Environment } from '../cli/environment.ts';
import { TsbuildError } from '../index.ts';

/** The runner that runs this step of a job. */
export interface Runner {
  /** Writes whole lines into the log. Whatever they say, the runner takes none of them for a command. */
  readonly say: (text: string) => void;
  /** `group`, `warning`, `add-mask`, … */
  readonly command: (name: string, message: string, properties?: CommandProperties) => void;
  /** @throws ERR_OUTPUT_FAILED */
  readonly setOutput: (name: string, value: string) => Promise<void>;
  /** Adds Markdown to the job's summary; says so where it cannot. */
  readonly addSummary: (text: string) => Promise<void>;
}

export type CommandProperties = Readonly<Record<string, string | number | undefined>>;

/** Its files are those that the environment names; without one, what would be in it is not told. */
export function createRunner(environment: Environment, write: (text: string) => void): Runner {
  const { GITHUB_OUTPUT, GITHUB_STEP_SUMMARY } = environment;
  const say = (text: string): void => write(harmless(text));
  return {
    say,
    command: (name, message, properties = {}) => {
      const given = Object.entries(properties).filter(([, value]) => value !== undefined);
      const list = given.map(([key, value]) => `${key}=${escapeProperty(String(value))}`);
      write(`::${name}${list.length > 0 ? ` ${list.join(',')}` : ''}::${escapeData(message)}\n`);
    },
    setOutput: async (name, value) => {
      // A delimiter that nobody can guess, so that no value can end early and set another output.
      const delimiter = `tsbuild_${randomUUID()}`;
      if (!GITHUB_OUTPUT) return;
      try {
        await appendFile(GITHUB_OUTPUT, `${name}<<${delimiter}\n${value}\n${delimiter}\n`);
      } catch (cause) {
        throw new TsbuildError('ERR_OUTPUT_FAILED', {
          message: `Cannot set the output "${name}" of the step`,
          details: { path: GITHUB_OUTPUT },
          cause,
        });
      }
    },
    addSummary: async (text) => {
      try {
        if (GITHUB_STEP_SUMMARY) await appendFile(GITHUB_STEP_SUMMARY, text);
      } catch (error) {
        // The image is what counts.
        say(`NOTE: Cannot write the summary: ${String(error)}\n`);
      }
    },
  };
}

/**
 * The runner takes `::name::` at the beginning of a line for a command, and the older `##[name]` anywhere: what a
 * RUN prints, or a Dockerfile says, must not set an output of this step.
 */
function harmless(text: string): string {
  return text.replaceAll(/^([\s\u0085]*)::/gm, '$1: :').replaceAll('##[', '# #[');
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
