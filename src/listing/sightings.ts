import type { TrainingRun, TrainingRunsResponse } from "../types.ts";

/** What one pass over a listing saw. */
interface Pass {
  /** How many runs the server had when it answered the first request; `undefined` if it is unsaid. */
  readonly expected: number | undefined;
  /** The ids seen in it. */
  readonly ids: Set<string>;
  /** Whether nothing speaks of a change while the pass was under way. */
  isUndisturbed: boolean;
}

/**
 * Remembers which runs were seen when, over several passes, to tell when nothing can be missing.
 *
 * The server pages by offset over a list that changes meanwhile, so that a run can slip from a page
 * not yet read to one that was read. Each of these shows that none did:
 *
 * - **Nothing changed.** In one pass every page began with the very run that the one before ended
 *   with, every count was the same, and as many runs were seen as were counted. This is a proof where
 *   runs come in at the front, and a run that moves goes to the front with another `lastRequestTime`:
 *   for one to slip past the run at a boundary, as many as slip or come in must go, and then the count
 *   falls by those that slipped.
 * - **All were seen again.** Take the moment of the first request of a pass; the answer says how many
 *   runs existed then. A run that was seen before that moment and again since existed at it, for ids
 *   do not come back; so did every run of that first answer. Once there are as many such runs as
 *   existed, they are all that existed, however they have moved. This is a proof in any order.
 * - **The same again.** Two undisturbed passes in a row saw the same runs. This is all that can be had
 *   of a server whose count is missing or wrong: no proof, but a miss takes a coincidence twice.
 */
export class Sightings {
  /** For each run: the pass before whose first answer it is known to have existed; and the last. */
  readonly #seen = new Map<string, { readonly knownBefore: number; last: number }>();
  readonly #passes: Pass[] = [];
  readonly #offset: number;

  /** @param offset Where the listing begins. */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** Begins a pass with the answer to its first request; gives the runs not seen before. */
  begin(page: TrainingRunsResponse): TrainingRun[] {
    const { totalCount } = page.cursor;
    const end = this.#offset + page.trainingRuns.length;
    this.#passes.push({
      expected: totalCount < end ? undefined : totalCount - this.#offset,
      ids: new Set(),
      isUndisturbed: true,
    });
    // What the first answer holds existed at its moment, as if it had been seen before.
    return this.#add(page.trainingRuns, this.#passes.length - 1);
  }

  /** Goes on with another page of the pass; gives the runs not seen before. */
  add(page: TrainingRunsResponse): TrainingRun[] {
    return this.#add(page.trainingRuns, this.#passes.length);
  }

  /** Whether a page has a run that the pass has not seen yet. */
  isNewToPass({ trainingRuns }: TrainingRunsResponse): boolean {
    const ids = this.#passes.at(-1)?.ids;
    return trainingRuns.some(({ trainingRunId }) => !ids?.has(trainingRunId));
  }

  /** Notes that something changed while the pass was under way. */
  disturb(): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.isUndisturbed = false;
  }

  /** Whether nothing can be missing, now that the pass is over. */
  isProven(): boolean {
    const pass = this.#passes.at(-1);
    return pass !== undefined &&
      (pass.ids.size === 0 || pass.isUndisturbed && pass.expected === pass.ids.size ||
        this.#isAllSeenAgain() || this.#isSameAgain(pass, this.#passes.at(-2)));
  }

  #add(runs: readonly TrainingRun[], knownBefore: number): TrainingRun[] {
    const pass = this.#passes.length;
    return runs.filter(({ trainingRunId }) => {
      this.#passes.at(-1)?.ids.add(trainingRunId);
      const seen = this.#seen.get(trainingRunId);
      if (seen !== undefined) {
        seen.last = pass;
        return false;
      }
      this.#seen.set(trainingRunId, { knownBefore, last: pass });
      return true;
    });
  }

  #isAllSeenAgain(): boolean {
    const sightings = [...this.#seen.values()];
    return this.#passes.some(({ expected }, index) => {
      const pass = index + 1;
      const seenAgain = sightings.filter(({ knownBefore, last }) =>
        knownBefore < pass && last >= pass
      );
      return expected !== undefined && seenAgain.length >= expected;
    });
  }

  #isSameAgain(pass: Pass, before: Pass | undefined): boolean {
    return before !== undefined && pass.isUndisturbed && before.isUndisturbed &&
      pass.expected === before.expected && pass.ids.size === before.ids.size &&
      [...pass.ids].every((id) => before.ids.has(id));
  }
}
