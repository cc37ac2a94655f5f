/**
 * Whether a browser page of this origin may use the service. No `Origin` header: not a browser, allowed.
 * `null` (a sandboxed frame, a file) is refused. Without a list only the page's own host is allowed; a list
 * stands in its place.
 *
 * The scheme is not compared for the same origin: behind a proxy that ends TLS this process sees http.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[] | undefined,
): boolean {
  if (origin === undefined) return true;
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  // A URL that is more than an origin, or opaque ('null'), does not print as it came.
  if (page === undefined || page.origin !== origin.toLowerCase()) return false;
  if (allowed !== undefined) return allowed.includes(page.origin);
  const defaultPort = page.protocol === 'https:' ? ':443' : ':80';
  const own = host?.toLowerCase();
  return own !== undefined && (own === page.host || own === page.host + defaultPort);
}
