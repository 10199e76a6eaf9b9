/**
 * Events to the lines of BuildKit's `--progress=plain`, which tools know how to read (LIM-4):
 *
 *     #5 [build 2/3] RUN make
 *     #5 0.123 cc -c main.c
 *     #5 DONE 0.4s
 *
 * Steps that run at once take turns: whoever has something to say repeats its name first.
 */

import type { BuildEvent, NoticeEvent, StepInfo } from './event.ts';
import { createLineSplitter, type LineSplitter } from './lines.ts';

/** A step between its start and its end. */
interface RunningStep {
  readonly info: StepInfo;
  /** Milliseconds since the Unix epoch. */
  readonly began: number;
  readonly stdout: LineSplitter;
  readonly stderr: LineSplitter;
}

/** A listener for a build's events that hands out text, whole lines at a time. */
export function plainProgress(
  write: (text: string) => void,
  now: () => number = Date.now,
): (event: BuildEvent) => void {
  const running = new Map<number, RunningStep>();
  const say = createSpeaker(write);
  const sayOutput = ({ info, began }: RunningStep, lines: readonly string[]): void => {
    const time = formatSeconds((now() - began) / 1000);
    for (const line of lines) say(info, `${time} ${line}`);
  };
  const end = (step: number, lastLines: readonly string[]): void => {
    const state = running.get(step);
    if (state === undefined) return;
    running.delete(step);
    for (const { flush } of [state.stdout, state.stderr]) sayOutput(state, flush());
    for (const line of lastLines) say(state.info, line);
    say(undefined, '');
  };
  return (event) => {
    switch (event.kind) {
      case 'plan':
        return;
      case 'step-start':
        running.set(event.step, {
          info: event,
          began: event.time,
          stdout: createLineSplitter(),
          stderr: createLineSplitter(),
        });
        return say(event, undefined);
      case 'step-output': {
        const state = running.get(event.step);
        return state && sayOutput(state, state[event.stream].push(event.data));
      }
      case 'step-end': {
        const detail = event.detail === undefined ? [] : [event.detail];
        const seconds = (event.duration / 1000).toFixed(1);
        return end(event.step, [...detail, event.cached ? 'CACHED' : `DONE ${seconds}s`]);
      }
      case 'step-error':
        return end(event.step, [
          event.failed ? `ERROR: ${event.error?.message ?? 'failed'}` : 'CANCELED',
        ]);
      case 'notice':
        say(undefined, '');
        return write(`${noticeText(event)}\n`);
    }
  };
}

/**
 * Says a line in the name of a step, with its headline first when another one spoke before. No line:
 * the headline alone. No step: nobody is speaking any more.
 */
function createSpeaker(
  write: (text: string) => void,
): (info: StepInfo | undefined, line: string | undefined) => void {
  let speaker: StepInfo | undefined;
  let isFirst = true;
  return (info, line) => {
    if (info === undefined) {
      speaker = undefined;
      return;
    }
    if (speaker?.step !== info.step) {
      if (speaker !== undefined) write(`#${speaker.step} ...\n`);
      write(`${isFirst ? '' : '\n'}#${info.step} ${info.name}\n`);
      speaker = info;
      isFirst = false;
    }
    if (line !== undefined) write(`#${info.step} ${line}\n`);
  };
}

/** BuildKit's five characters: `0.123`, `12.34`, `123.4`. */
function formatSeconds(seconds: number): string {
  const digits = seconds < 10 ? 3 : seconds < 100 ? 2 : seconds < 1000 ? 1 : 0;
  return Math.max(0, seconds).toFixed(digits);
}

function noticeText({ level, message, location }: NoticeEvent): string {
  const place = location === undefined ? '' : ` (${location.file}:${location.range.start.line})`;
  return `${level === 'warning' ? 'WARNING' : 'NOTE'}: ${message}${place}`;
}
