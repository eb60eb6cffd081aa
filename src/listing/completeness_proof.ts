import type { PageCursor } from "../types.ts";

/** One page of a listing. */
export interface Page<T> {
  /** The items of this page, in the server's order. */
  readonly items: readonly T[];
  /** The position of the page and the total count. */
  readonly cursor: PageCursor;
}

/** The facts of one pass over a listing. */
interface Pass {
  /** How many items the first response counts; `undefined` where it sends no usable count. */
  readonly expected: number | undefined;
  /** The ids on the pages of this pass. */
  readonly ids: Set<string>;
  /** Whether no change of the list was detected during the pass. */
  isStable: boolean;
  /** The offset that the pages reached. */
  end: number;
  /** How many items were repeated on one page, in the place of others. */
  duplicates: number;
  /** The largest total count of any page. */
  maxCount: number;
}

/**
 * Records the items of each pass over a listing, and decides when no item can be missing.
 * docs/design/pagination.md has the proofs.
 *
 * The server pages by offset over a list that changes between requests, so that an item can move from
 * a page not yet read to one that was read. A pass that ended before the largest count of its pages
 * proves nothing. After any other pass, each of these conditions is enough:
 *
 * - **No change.** Every page began with the last item of the page before, every count was the
 *   same, and as many items were read as were counted.
 * - **All items read again.** As many items as the first response of a pass counted were read both up
 *   to and including that response, and after it began.
 * - **Two passes agree.** Two stable passes in a row read the same items, and at least as many as were
 *   counted. Where the count is missing or too low, no better evidence exists: an item is missed only if
 *   the same coincidence occurs twice.
 */
export class CompletenessProof<T> {
  /** For each item: the pass before whose first response it is known to have existed; the last pass. */
  readonly #items = new Map<string, { readonly knownBefore: number; lastPass: number }>();
  readonly #passes: Pass[] = [];
  readonly #offset: number;
  readonly #idOf: (item: T) => string;

  /**
   * @param offset The offset at which the listing begins.
   * @param idOf Returns the id of an item.
   */
  constructor(offset: number, idOf: (item: T) => string) {
    this.#offset = offset;
    this.#idOf = idOf;
  }

  /** The ids of the last pass, in the server's order. */
  get lastIds(): ReadonlySet<string> {
    return this.#passes.at(-1)?.ids ?? new Set();
  }

  /** Starts a pass with the response to its first request; returns the items that are new. */
  startPass(page: Page<T>): T[] {
    const { totalCount } = page.cursor;
    const end = this.#offset + page.items.length;
    this.#passes.push({
      expected: totalCount < end ? undefined : totalCount - this.#offset,
      ids: new Set(),
      isStable: true,
      end,
      duplicates: 0,
      maxCount: totalCount,
    });
    // The items of the first response existed at its time, as if an earlier pass had read them.
    return this.#addItems(page.items, this.#passes.length - 1);
  }

  /** Adds a page that reaches `end` to the pass; returns the items that are new. */
  addPage(page: Page<T>, end: number): T[] {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.end = end;
    this.recordCount(page);
    return this.#addItems(page.items, this.#passes.length);
  }

  /** Records the total count of a page. */
  recordCount({ cursor }: Page<T>): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.maxCount = Math.max(pass.maxCount, cursor.totalCount);
  }

  /** Returns whether a page has an item that the pass has not read yet. */
  isNewToPass({ items }: Page<T>): boolean {
    const ids = this.lastIds;
    return items.some((item) => !ids.has(this.#idOf(item)));
  }

  /** Records that the list changed during the pass. */
  recordChange(): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.isStable = false;
  }

  /** Returns whether the passes so far, the last one at its end, prove that no item is missing. */
  isComplete(): boolean {
    const pass = this.#passes.at(-1);
    if (pass === undefined || pass.maxCount > pass.end - pass.duplicates) return false;
    return pass.ids.size === 0 || pass.isStable && pass.expected === pass.ids.size ||
      this.#isEveryItemReadAgain() ||
      this.#isRepeated() && pass.ids.size >= (pass.expected ?? 0);
  }

  /**
   * Returns the server's count and the number of items that it lists, where another pass would find
   * the same as the last two; `undefined` where another pass may find more.
   */
  contradiction(): { readonly counted: number; readonly listed: number } | undefined {
    const pass = this.#passes.at(-1);
    if (pass === undefined || this.isComplete() || !this.#isRepeated()) return undefined;
    return { counted: pass.maxCount, listed: this.#offset + pass.ids.size };
  }

  #addItems(items: readonly T[], knownBefore: number): T[] {
    const lastPass = this.#passes.length;
    const pass = this.#passes.at(-1);
    if (pass !== undefined) {
      pass.duplicates += items.length - new Set(items.map(this.#idOf)).size;
    }
    return items.filter((item) => {
      const id = this.#idOf(item);
      pass?.ids.add(id);
      const knownItem = this.#items.get(id);
      if (knownItem !== undefined) {
        knownItem.lastPass = lastPass;
        return false;
      }
      this.#items.set(id, { knownBefore, lastPass });
      return true;
    });
  }

  #isEveryItemReadAgain(): boolean {
    const items = [...this.#items.values()];
    return this.#passes.some(({ expected }, index) => {
      const pass = index + 1;
      const readAgain = items.filter(({ knownBefore, lastPass }) =>
        knownBefore < pass && lastPass >= pass
      );
      return expected !== undefined && readAgain.length >= expected;
    });
  }

  /** Whether the last two passes were stable and read the same items. */
  #isRepeated(): boolean {
    const [before, pass] = this.#passes.slice(-2);
    return before !== undefined && pass !== undefined &&
      pass.isStable && before.isStable &&
      pass.expected === before.expected && pass.ids.size === before.ids.size &&
      [...pass.ids].every((id) => before.ids.has(id));
  }
}
