// Prometheus' text format, as far as the operator's page needs it.

export interface Sample {
  labels: Record<string, string>;
  value: number;
}
export type Metrics = Map<string, Sample[]>;

export function metricsFrom(text: string): Metrics {
  const metrics: Metrics = new Map();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match?.[1]) continue;
    const labels = Object.fromEntries([...(match[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    const samples = metrics.get(match[1]) ?? [];
    samples.push({ labels, value: match[3] === "+Inf" ? Infinity : Number(match[3]) });
    metrics.set(match[1], samples);
  }
  return metrics;
}

/** The sum of a metric, of the samples with this label where one is given. */
export function sum(metrics: Metrics, name: string, label?: string, value?: string): number {
  const samples = metrics.get(name) ?? [];
  return samples.filter(({ labels }) => label === undefined || labels[label] === value).reduce((total, one) => total + one.value, 0);
}

/** The upper end of the bucket that holds this share of a histogram; null where nothing was observed. */
export function quantile(metrics: Metrics, name: string, share: number): number | null {
  const buckets = (metrics.get(`${name}_bucket`) ?? []).map(({ labels, value }) => ({ until: labels["le"] === "+Inf" ? Infinity : Number(labels["le"]), count: value }));
  const total = Math.max(0, ...buckets.map(({ count }) => count));
  if (!total) return null;
  const found = buckets.sort((a, b) => a.until - b.until).find(({ count }) => count >= total * share);
  return found && Number.isFinite(found.until) ? found.until : null;
}
