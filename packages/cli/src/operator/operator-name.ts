import { userInfo } from 'node:os';

/** Who does it, for the record. In a container the user may have a number and no name. */
export function operatorName(user: () => { readonly username: string } = userInfo): string {
  try {
    return `cli:${user().username}`;
  } catch {
    return `cli:uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
