/** A runner of GitHub's, as far as an action sees it: inputs and files in its environment, commands in its log. */

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface RunnerCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly message: string;
}

/** What a step came to, as the runner sees it. */
export interface StepResult {
  readonly commands: readonly RunnerCommand[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  /** The log with what is masked in it. */
  readonly shown: string;
}

export interface TestRunner {
  /** The checked out repository; also the working directory of a step. */
  readonly workspace: string;
  readonly temporary: string;
  /** The environment of a step with these inputs. */
  readonly environment: (inputs: Readonly<Record<string, string>>) => Record<string, string>;
  /** Reads what a step has said and written. */
  readonly read: (log: string) => Promise<StepResult>;
}

/** A runner with an empty workspace below a folder. */
export async function createTestRunner(folder: string): Promise<TestRunner> {
  const at = (name: string): string => join(folder, name);
  const [workspace, temporary, output, summary] = [
    at('workspace'),
    at('runner-temp'),
    at('set_output'),
    at('step_summary'),
  ];
  await mkdir(workspace);
  await mkdir(temporary);
  for (const file of [output, summary]) await writeFile(file, '');
  return {
    workspace,
    temporary,
    environment: (inputs) => ({
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: workspace,
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'me/app',
      GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
      GITHUB_RUN_ID: '42',
      GITHUB_RUN_ATTEMPT: '1',
      RUNNER_TEMP: temporary,
      ...Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
      ),
    }),
    read: async (log) => {
      const commands = log.split(/\r\n|\n|\r/).flatMap((line) => parseCommand(line) ?? []);
      return {
        commands,
        outputs: parseFileCommand(await readFile(output, 'utf8')),
        summary: await readFile(summary, 'utf8'),
        shown: masked(log, commands),
      };
    },
  };
}

/** `::name key=value,…::message` where a line begins, and `##[name key=value;…]message` anywhere. */
function parseCommand(line: string): RunnerCommand | undefined {
  const now = /^\s*::([a-z-]+)(?: (.*?))?::(.*)$/.exec(line);
  const old = /##\[([a-z-]+)(?: (.*?))?\](.*)$/.exec(line);
  const [, name, list = '', message = ''] = now ?? old ?? [];
  if (name === undefined) return undefined;
  const pairs = list.split(now === null ? ';' : ',').filter((pair) => pair !== '');
  return {
    name,
    properties: Object.fromEntries(
      pairs.map((pair) => {
        const [key = '', ...value] = pair.split('=');
        return [key, unescape(value.join('='))];
      }),
    ),
    message: unescape(message),
  };
}

function unescape(text: string): string {
  const codes: Readonly<Record<string, string>> = {
    '%25': '%',
    '%0D': '\r',
    '%0A': '\n',
    '%3A': ':',
    '%2C': ',',
  };
  return text.replaceAll(/%(?:25|0D|0A|3A|2C)/g, (code) => codes[code] ?? code);
}

/** `name<<DELIMITER`, lines, `DELIMITER`; nothing else is written. */
function parseFileCommand(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  const lines = text.split('\n');
  while (lines.length > 1) {
    const [, name, delimiter] = /^([^=<]+)<<(.+)$/.exec(lines.shift() ?? '') ?? [];
    assert.ok(name !== undefined && delimiter !== undefined, text);
    const end = lines.indexOf(delimiter);
    assert.ok(end >= 0, `"${name}" has no end`);
    values[name] = lines
      .splice(0, end + 1)
      .slice(0, -1)
      .join('\n');
  }
  return values;
}

/** From the moment that it is told, the runner shows stars instead of a masked value; commands to mask are not shown. */
function masked(log: string, commands: readonly RunnerCommand[]): string {
  const values = commands.filter(({ name }) => name === 'add-mask').map(({ message }) => message);
  const lines = log.split('\n').filter((line) => !line.startsWith('::add-mask::'));
  return values.reduce((text, value) => text.replaceAll(value, '***'), lines.join('\n'));
}
