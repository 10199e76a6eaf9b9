/** Where images go. */

export type { ExportImage, ExportOptions, ExportResult } from './export-result.ts';
export { writeArchive } from './archive.ts';
export { writeLayout } from './layout.ts';
export { type OutputSpec, parseOutput } from './outputs.ts';
export { writeOutput } from './write-output.ts';
