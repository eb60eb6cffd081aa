import { assertEquals } from "@std/assert";
import { EMPTY, merge, mergeMap, NEVER, Observable } from "rxjs";
import { concurrencyLimit } from "../../src/transport/concurrency_limit.ts";
import { runMarbles } from "../marbles.ts";

Deno.test("concurrencyLimit subscribes to at most `max` Observables, first in, first out", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const limit = concurrencyLimit(2);
    const [a, b, c, d] = [cold("---a|"), cold("-b|"), cold("--c|"), cold("-d|")] as const;
    expectObservable(merge(limit(a), limit(b), limit(c), limit(d))).toBe("-b-acd|");
    expectSubscriptions(a.subscriptions).toBe("^---!");
    expectSubscriptions(b.subscriptions).toBe("^-!");
    expectSubscriptions(c.subscriptions).toBe("--^--!");
    expectSubscriptions(d.subscriptions).toBe("----^-!");
  });
});

Deno.test("concurrencyLimit frees the slot of an Observable that fails, and passes its error on", () => {
  runMarbles(({ cold, expectObservable }) => {
    const limit = concurrencyLimit(1);
    expectObservable(limit(cold("--#"))).toBe("--#");
    expectObservable(limit(cold("-b|"))).toBe("---b|");
  });
});

Deno.test("concurrencyLimit frees a slot after the teardown of an Observable that is unsubscribed from", async () => {
  const limit = concurrencyLimit(1);
  const notes: string[] = [];
  const subscribeNoted = (name: string) =>
    limit(
      new Observable(() => {
        notes.push(`${name} begins`);
        return () => notes.push(`${name} ends`);
      }),
    ).subscribe();
  const first = subscribeNoted("a");
  subscribeNoted("b");
  first.unsubscribe();
  await Promise.resolve();
  assertEquals(notes, ["a begins", "a ends", "b begins"]);
});

Deno.test("concurrencyLimit starts no waiting Observable while many are unsubscribed from", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const limit = concurrencyLimit(1);
    const [first, second, other] = [cold("----a|"), cold("-b|"), cold("-c|")] as const;
    expectObservable(merge(limit(first), limit(second)), "^-!").toBe("--");
    expectObservable(limit(other)).toBe("---c|");
    expectSubscriptions(first.subscriptions).toBe("^-!");
    expectSubscriptions(second.subscriptions).toBe([]);
  });
});

Deno.test("concurrencyLimit starts none of many merged Observables after one of them fails", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const limit = concurrencyLimit(2);
    const [failing, long, waiting] = [cold("-#"), cold("----a|"), cold("-b|")] as const;
    expectObservable(merge(limit(failing), limit(long), limit(waiting))).toBe("-#");
    expectSubscriptions(long.subscriptions).toBe("^!");
    expectSubscriptions(waiting.subscriptions).toBe([]);
  });
});

Deno.test("concurrencyLimit never subscribes to an Observable that is unsubscribed from while it waits", () => {
  runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
    const limit = concurrencyLimit(1);
    const [cancelled, last] = [cold("-b|"), cold("-c|")] as const;
    expectObservable(limit(cold("---a|"))).toBe("---a|");
    expectObservable(limit(cancelled), "^-!").toBe("--");
    expectObservable(limit(last)).toBe("-----c|");
    expectSubscriptions(cancelled.subscriptions).toBe([]);
    expectSubscriptions(last.subscriptions).toBe("----^-!");
  });
});

Deno.test("concurrencyLimit puts a resubscription at the end of the queue", () => {
  runMarbles(({ cold, expectObservable }) => {
    const limit = concurrencyLimit(1);
    const again$ = limit(cold("-a|")).pipe(mergeMap(() => limit(cold("-c|"))));
    expectObservable(again$).toBe("-----c|");
    expectObservable(limit(cold("-b|"))).toBe("---b|");
  });
});

Deno.test("concurrencyLimit alternates between kinds, so that many of one kind do not delay another", () => {
  runMarbles(({ cold, expectObservable }) => {
    const limit = concurrencyLimit(1);
    const one = (name: string, kind: string) => limit(cold(`-${name}|`), kind);
    expectObservable(
      merge(one("a", "many"), one("b", "many"), one("c", "many"), one("d", "few"), one("e", "few")),
    ).toBe("-a-b-d---c-e|");
    expectObservable(one("f", "late"), "--^").toBe("-------f|");
  });
});

Deno.test("concurrencyLimit frees a slot once for each teardown", () => {
  runMarbles(({ cold, expectObservable }) => {
    const limit = concurrencyLimit(1);
    const first = limit(cold("a|")).subscribe();
    first.unsubscribe();
    first.unsubscribe();
    expectObservable(limit(cold("--b|"))).toBe("--b|");
    expectObservable(limit(cold("--c|"))).toBe("-----c|");
  });
});

Deno.test("concurrencyLimit completes or removes a hundred thousand Observables without a deep stack", async () => {
  const limit = concurrencyLimit(1);
  const count = 100_000;
  const blocking = limit(NEVER).subscribe();
  let ended = 0;
  const wait = (source$: Observable<never>) =>
    limit(source$).subscribe({ complete: () => ended++ });
  for (let i = 0; i < count; i++) wait(EMPTY);
  const waitingSubscriptions = Array.from({ length: count }, () => wait(EMPTY));
  for (const waiting of waitingSubscriptions) waiting.unsubscribe();
  blocking.unsubscribe();
  await Promise.resolve();
  assertEquals(ended, count);
});
