/** Where compose finds bytes: what a request's sources count. */

/** The `roots` and `files` of a compose request under construction. */
export class Places {
  readonly roots: string[] = [];
  readonly files: string[] = [];
  /** Some bytes are in layer directories, which may belong to other ids. */
  directories = false;

  root(path: string): number {
    return placeOf(this.roots, path);
  }

  file(path: string): number {
    return placeOf(this.files, path);
  }
}

function placeOf(list: string[], path: string): number {
  const at = list.indexOf(path);
  return at === -1 ? list.push(path) - 1 : at;
}
