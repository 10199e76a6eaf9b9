/**
 * Events to the lines of BuildKit's `--progress=plain`, which tools know how to read (LIM-4):
 *
 *     #5 [build 2/3] RUN make
 *     #5 0.123 cc -c main.c
 *     #5 DONE 0.4s
 *
 * Steps that run at once take turns: whoever has something to say repeats its name first, and a step
 * that starts while another speaks waits until that one ends or it has something to say.
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
  const speaker = createSpeaker(write);
  const sayOutput = ({ info, began }: RunningStep, lines: readonly string[]): void => {
    const time = formatSeconds((now() - began) / 1000);
    for (const line of lines) speaker.say(info, `${time} ${line}`);
  };
  const end = (step: number, lastLines: readonly string[]): void => {
    const state = running.get(step);
    if (state === undefined) return;
    running.delete(step);
    for (const { flush } of [state.stdout, state.stderr]) sayOutput(state, flush());
    for (const line of lastLines) speaker.say(state.info, line);
    speaker.leave();
    const [next] = running.values();
    if (next !== undefined) speaker.enter(next.info);
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
        if (!speaker.isSpeaking()) speaker.enter(event);
        return;
      case 'step-output': {
        const state = running.get(event.step);
        return state && sayOutput(state, state[event.stream].push(event.data));
      }
      case 'step-status': {
        const state = running.get(event.step);
        const { name, duration } = event;
        const done = duration === undefined ? '' : ` ${(duration / 1000).toFixed(1)}s done`;
        return state && speaker.say(state.info, `${name}${done}`);
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
        speaker.leave();
        return write(`${noticeText(event)}\n`);
    }
  };
}

/** Knows whose lines are being written. */
interface Speaker {
  readonly isSpeaking: () => boolean;
  /** Writes a step's headline, unless it is the one that speaks. */
  readonly enter: (info: StepInfo) => void;
  /** Writes a line in the name of a step. */
  readonly say: (info: StepInfo, line: string) => void;
  /** Nobody speaks any more. */
  readonly leave: () => void;
}

function createSpeaker(write: (text: string) => void): Speaker {
  let current: number | undefined;
  let isFirst = true;
  const enter = ({ step, name }: StepInfo): void => {
    if (current === step) return;
    if (current !== undefined) write(`#${current} ...\n`);
    write(`${isFirst ? '' : '\n'}#${step} ${name}\n`);
    current = step;
    isFirst = false;
  };
  return {
    isSpeaking: () => current !== undefined,
    enter,
    say: (info, line) => {
      enter(info);
      write(`#${info.step} ${line}\n`);
    },
    leave: () => {
      current = undefined;
    },
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
