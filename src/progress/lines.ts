/** Bytes of a program's output to the lines that a reader would see. */

/** What has come so far of one stream. */
export interface LineSplitter {
  /** The lines that these bytes complete. */
  readonly push: (data: Uint8Array) => readonly string[];
  /** What is left without a line's end, when the stream ends. */
  readonly flush: () => readonly string[];
}

/** A line that has no end in sight is cut here, so that memory stays bounded. */
const MAX_LINE = 64 * 1024;

/** Splits at line ends. Of a line that was overwritten with carriage returns (a progress bar) the last text counts. */
export function createLineSplitter(): LineSplitter {
  const decoder = new TextDecoder();
  let partial = '';
  const take = (text: string): readonly string[] => {
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    while (partial.length > MAX_LINE) {
      lines.push(partial.slice(0, MAX_LINE));
      partial = partial.slice(MAX_LINE);
    }
    return lines.map(visibleText);
  };
  return {
    push: (data) => take(decoder.decode(data, { stream: true })),
    flush: () => {
      const rest = decoder.decode(); // what is left of a character that was cut off
      return partial + rest === '' ? [] : take(`${rest}\n`);
    },
  };
}

function visibleText(line: string): string {
  const text = line.replace(/\r+$/, '');
  return text.slice(text.lastIndexOf('\r') + 1);
}
