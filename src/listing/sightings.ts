import type { PageCursor } from "../types.ts";

/** One page of a listing. */
export interface Page<T> {
  /** The items of this page, in the server's order. */
  readonly items: readonly T[];
  /** Which page it is, of how many items. */
  readonly cursor: PageCursor;
}

/** What one pass over a listing saw. */
interface Pass {
  /** How many items the server had when it sent the first response; `undefined` if it is unsaid. */
  readonly expected: number | undefined;
  /** The ids seen in it. */
  readonly ids: Set<string>;
  /** Whether nothing shows a change during the pass. */
  isUndisturbed: boolean;
  /** The offset that the pages reached. */
  end: number;
  /** How many items of the pages stood twice on one page, and so may have taken another's place. */
  surplus: number;
  /** The largest count of all items that a page gave. */
  counted: number;
}

/**
 * Remembers which items were seen when, over several passes, to tell when nothing can be missing.
 * docs/design/pagination.md has the proofs.
 *
 * The server pages by offset over a list that changes meanwhile, so that an item can slip from a page
 * not yet read to one that was read. A pass that ended before what one of its pages counted shows
 * nothing. After any other, each of these shows that nothing is missing:
 *
 * - **Nothing changed.** Every page began with the very item that the one before ended with, every
 *   count was the same, and as many items were seen as were counted.
 * - **All were seen again.** As many items as the first response of a pass counted were seen both
 *   before that response, or in it, and since.
 * - **The same again.** Two undisturbed passes in a row saw the same items, and not fewer than were
 *   counted. This is all that can be had of a server whose count is missing or too low: no proof, but
 *   a miss takes a coincidence twice.
 */
export class Sightings<T> {
  /** For each item: the pass before whose first response it is known to have existed; and the last. */
  readonly #seen = new Map<string, { readonly knownBefore: number; last: number }>();
  readonly #passes: Pass[] = [];
  readonly #offset: number;
  readonly #idOf: (item: T) => string;

  /**
   * @param offset Where the listing begins.
   * @param idOf What identifies an item.
   */
  constructor(offset: number, idOf: (item: T) => string) {
    this.#offset = offset;
    this.#idOf = idOf;
  }

  /** The ids that the last pass saw, in the server's order. */
  get lastIds(): ReadonlySet<string> {
    return this.#passes.at(-1)?.ids ?? new Set();
  }

  /** Begins a pass with the response to its first request; gives the items not seen before. */
  begin(page: Page<T>): T[] {
    const { totalCount } = page.cursor;
    const end = this.#offset + page.items.length;
    this.#passes.push({
      expected: totalCount < end ? undefined : totalCount - this.#offset,
      ids: new Set(),
      isUndisturbed: true,
      end,
      surplus: 0,
      counted: totalCount,
    });
    // What the first response holds existed at its moment, as if it had been seen before.
    return this.#add(page.items, this.#passes.length - 1);
  }

  /** Continues the pass with a page that reaches `end`; gives the items not seen before. */
  add(page: Page<T>, end: number): T[] {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.end = end;
    this.count(page);
    return this.#add(page.items, this.#passes.length);
  }

  /** Notes how many items a page counts. */
  count({ cursor }: Page<T>): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.counted = Math.max(pass.counted, cursor.totalCount);
  }

  /** Whether a page has an item that the pass has not seen yet. */
  isNewToPass({ items }: Page<T>): boolean {
    const ids = this.lastIds;
    return items.some((item) => !ids.has(this.#idOf(item)));
  }

  /** Notes that something changed during the pass. */
  disturb(): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.isUndisturbed = false;
  }

  /** Whether nothing can be missing, now that the pass is over. */
  isProven(): boolean {
    const pass = this.#passes.at(-1);
    if (pass === undefined || pass.counted > pass.end - pass.surplus) return false;
    return pass.ids.size === 0 || pass.isUndisturbed && pass.expected === pass.ids.size ||
      this.#isAllSeenAgain() ||
      this.#isSameAgain() && pass.ids.size >= (pass.expected ?? 0);
  }

  /**
   * What the server counts and what it lists, where no further pass would show more than the last two
   * have; `undefined` where one may.
   */
  contradiction(): { readonly counted: number; readonly listed: number } | undefined {
    const pass = this.#passes.at(-1);
    if (pass === undefined || this.isProven() || !this.#isSameAgain()) return undefined;
    return { counted: pass.counted, listed: this.#offset + pass.ids.size };
  }

  #add(items: readonly T[], knownBefore: number): T[] {
    const pass = this.#passes.length;
    const current = this.#passes.at(-1);
    if (current !== undefined) {
      current.surplus += items.length - new Set(items.map(this.#idOf)).size;
    }
    return items.filter((item) => {
      const id = this.#idOf(item);
      current?.ids.add(id);
      const seen = this.#seen.get(id);
      if (seen !== undefined) {
        seen.last = pass;
        return false;
      }
      this.#seen.set(id, { knownBefore, last: pass });
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

  #isSameAgain(): boolean {
    const [before, pass] = this.#passes.slice(-2);
    return before !== undefined && pass !== undefined &&
      pass.isUndisturbed && before.isUndisturbed &&
      pass.expected === before.expected && pass.ids.size === before.ids.size &&
      [...pass.ids].every((id) => before.ids.has(id));
  }
}
