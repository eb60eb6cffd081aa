/** Something to time. */
export type Run = () => Promise<void>;

/** How many times to run what. */
export interface PairingOptions {
  /** How many pairs to measure. */
  readonly pairs: number;
  /** How many pairs to run before, unmeasured, until compiler and connections are warm. */
  readonly warmUps: number;
  /** How often one measurement calls its `Run`; more than once where a call is short. */
  readonly callsPerRun?: number;
}

/** The outcome of a comparison. */
export interface PairedComparison {
  /** The median time of one call of ours, in milliseconds. */
  readonly oursMs: number;
  /** The median time of one call of the peer's, in milliseconds. */
  readonly peerMs: number;
  /** First quartile, median and third quartile of the pairs' ratios, ours over the peer's. */
  readonly ratio: { readonly lower: number; readonly median: number; readonly upper: number };
}

/**
 * Times two things against each other on a machine that does other work too. The two of a pair run
 * right after one another, so that what slows one slows the other, and take turns at being first;
 * the median of the pairs' ratios is then hardly moved by the pairs that were disturbed.
 */
export async function comparePaired(
  ours: Run,
  peer: Run,
  { pairs, warmUps, callsPerRun = 1 }: PairingOptions,
): Promise<PairedComparison> {
  const time = async (run: Run) => {
    const startedAt = performance.now();
    for (let call = 0; call < callsPerRun; call++) await run();
    return (performance.now() - startedAt) / callsPerRun;
  };
  const measured: { readonly oursMs: number; readonly peerMs: number }[] = [];
  for (let pair = -warmUps; pair < pairs; pair++) {
    const isPeerFirst = pair % 2 === 0;
    const before = isPeerFirst ? await time(peer) : undefined;
    const oursMs = await time(ours);
    const peerMs = before ?? await time(peer);
    if (pair >= 0) measured.push({ oursMs, peerMs });
  }
  const ratios = measured.map(({ oursMs, peerMs }) => oursMs / peerMs);
  return {
    oursMs: quantile(measured.map(({ oursMs }) => oursMs), 0.5),
    peerMs: quantile(measured.map(({ peerMs }) => peerMs), 0.5),
    ratio: {
      lower: quantile(ratios, 0.25),
      median: quantile(ratios, 0.5),
      upper: quantile(ratios, 0.75),
    },
  };
}

/** The value below which the given part of the values lies, between the two nearest of them. */
function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * part;
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position % 1);
}
