/** A pod's metrics, by name and labels as they stand: `messaging_outbox_sent_total`, `…_total{reason="x"}`. */
export async function scrape(httpUrl: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (match) samples.set(match[1]!, Number(match[2]));
  }
  return samples;
}

/** The sum over pods of all samples whose name, without labels, is `name`. */
export async function sumOf(httpUrls: readonly string[], name: string): Promise<number> {
  let sum = 0;
  for (const samples of await Promise.all(httpUrls.map(scrape))) {
    for (const [key, value] of samples) if (key === name || key.startsWith(`${name}{`)) sum += value;
  }
  return sum;
}
