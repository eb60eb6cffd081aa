// This module is browser compatible.

import { checkCount } from "./check_count.ts";
import type { DelayFault, FakeFaults, Fault, FaultTarget } from "./faults.ts";
import type { RecordedRequest } from "./recorded_request.ts";

/** What strikes one request. */
export interface Strike {
  /** How much later the answer comes, in milliseconds. */
  readonly delayMs: number;
  /** What else goes wrong. */
  readonly fault: Exclude<Fault, DelayFault> | undefined;
}

interface PendingFault {
  readonly fault: Fault;
  readonly strikes: (request: RecordedRequest) => boolean;
  times: number;
}

/** The faults that wait, in their order, and the way to take those that strike a request. */
export class FaultQueue implements FakeFaults {
  #waiting: PendingFault[] = [];

  get pending(): number {
    return this.#waiting.reduce((sum, { times }) => sum + times, 0);
  }

  add(fault: Fault, { on, times = 1 }: FaultTarget = {}): void {
    checkFault(fault);
    if (times !== Infinity) checkCount("times", times, 1);
    const strikes = typeof on === "function"
      ? on
      : (request: RecordedRequest) => on === undefined || request.operation === on;
    this.#waiting.push({ fault, strikes, times });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** Uses up the faults that strike `request`: delays, up to the first that is none. */
  take(request: RecordedRequest): Strike {
    let delayMs = 0;
    let struck: Strike["fault"];
    for (const waiting of this.#waiting) {
      if (!waiting.strikes(request)) continue;
      waiting.times--;
      if (waiting.fault.type === "delay") {
        delayMs += waiting.fault.ms;
      } else {
        struck = waiting.fault;
        break;
      }
    }
    this.#waiting = this.#waiting.filter(({ times }) => times > 0);
    return { delayMs, fault: struck };
  }
}

function checkFault(fault: Fault): void {
  switch (fault.type) {
    case "status":
      checkCount("status", fault.status, 200, 599);
      break;
    case "delay":
      if (!(fault.ms >= 0)) throw new RangeError(`ms must not be negative, got ${fault.ms}`);
      break;
    case "cut":
    case "stall":
    case "truncate":
      checkCount("afterBytes", fault.afterBytes, 0);
      break;
    case "wrong-length":
      checkCount("length", fault.length, 0);
      break;
  }
}
