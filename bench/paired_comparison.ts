/** An operation to measure. */
export type Run = () => Promise<void>;

/** The number of runs. */
export interface PairingOptions {
  /** How many pairs are measured. */
  readonly pairs: number;
  /** How many pairs precede them without a measurement, to warm up compiler and connections. */
  readonly warmUps: number;
  /** How often a measurement calls its `Run`; more than once for short calls. Default: 1. */
  readonly callsPerRun?: number;
}

/** The result of a comparison. */
export interface PairedComparison {
  /** The median time of one call of ours, in milliseconds. */
  readonly oursMs: number;
  /** The median time of one call of the peer, in milliseconds. */
  readonly peerMs: number;
  /** First quartile, median and third quartile of the pairs' ratios, ours over the peer's. */
  readonly ratio: { readonly lower: number; readonly median: number; readonly upper: number };
}

/**
 * Compares the times of two operations on a machine with other load. The operations of a pair run one
 * after the other in alternating order, so that the load affects both; the median of the ratios is robust
 * against pairs with uneven load.
 */
export async function comparePaired(
  ours: Run,
  peer: Run,
  { pairs, warmUps, callsPerRun = 1 }: PairingOptions,
): Promise<PairedComparison> {
  const measure = async (run: Run) => {
    const startedAt = performance.now();
    for (let call = 0; call < callsPerRun; call++) await run();
    return (performance.now() - startedAt) / callsPerRun;
  };
  const times: { readonly oursMs: number; readonly peerMs: number }[] = [];
  for (let pair = -warmUps; pair < pairs; pair++) {
    const isPeerFirst = pair % 2 === 0;
    const before = isPeerFirst ? await measure(peer) : undefined;
    const oursMs = await measure(ours);
    const peerMs = before ?? await measure(peer);
    if (pair >= 0) times.push({ oursMs, peerMs });
  }
  const ratios = times.map(({ oursMs, peerMs }) => oursMs / peerMs);
  return {
    oursMs: quantile(times.map(({ oursMs }) => oursMs), 0.5),
    peerMs: quantile(times.map(({ peerMs }) => peerMs), 0.5),
    ratio: {
      lower: quantile(ratios, 0.25),
      median: quantile(ratios, 0.5),
      upper: quantile(ratios, 0.75),
    },
  };
}

/** A row of a table of comparisons, with the highest ratio that is acceptable. */
export function toRow({ oursMs, peerMs, ratio }: PairedComparison, goal?: number) {
  return {
    "ours, ms": oursMs.toFixed(2),
    "peer, ms": peerMs.toFixed(2),
    "ratio": ratio.median.toFixed(3),
    "middle half": `${ratio.lower.toFixed(3)} to ${ratio.upper.toFixed(3)}`,
    "goal": goal ?? "",
  };
}

/** The quantile of the values for a fraction, interpolated between the two nearest values. */
function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position % 1);
}
