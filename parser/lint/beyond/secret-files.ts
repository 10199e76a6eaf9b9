/** Names of files that usually hold secrets. */

/** Each is tried on the last name of a path, and on the last two. */
const SECRET_FILES: readonly RegExp[] = [
  /^\.env(?:\.(?:local|prod|production|dev|development|staging))?$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)$/,
  /^\.ssh$|^\.aws$|^\.gnupg$|^\.kube$/,
  /^(?:\.netrc|\.pgpass|\.git-credentials|\.vault-token|\.pypirc)$/,
  /^(?:\*|.*(?:priv|key)[^.]*)\.pem$/i,
  /^(?:key|.*(?:private|server|client|tls|ssl)[^.]*)\.key$/i,
  /\.(?:p12|pfx)$/i,
  /^(?:\.aws\/credentials|\.docker\/config\.json|\.kube\/config)$/,
  /^(?:credentials|service[-_]account(?:[-_]key)?)\.json$/,
];

const PUBLIC = /(?:^|[-_.])(?:pub|public|example|sample|template)(?:[-_.]|$)/i;

/** Whether what is at a path (or what a pattern names) usually holds secrets, by its name alone. */
export function isSecretFile(path: string): boolean {
  const [name = '', parent] = path.split('/').toReversed();
  const names = parent === undefined ? [name] : [name, `${parent}/${name}`];
  const isSecret = SECRET_FILES.some((pattern) => names.some((each) => pattern.test(each)));
  return isSecret && !PUBLIC.test(name);
}
