// This module is browser compatible.

import type { DelayFault, FakeFaults, Fault, FaultTarget } from "./faults.ts";
import type { RecordedRequest } from "./recorded_request.ts";
import { requireInteger } from "./require_integer.ts";

/** The faults that apply to one request. */
export interface AppliedFaults {
  /** How long the response is delayed, in milliseconds. */
  readonly delayMs: number;
  /** The first fault that is not a delay. */
  readonly fault: Exclude<Fault, DelayFault> | undefined;
}

interface PendingFault {
  readonly fault: Fault;
  readonly matches: (request: RecordedRequest) => boolean;
  times: number;
}

/** The pending faults, in the order in which they were added. */
export class FaultQueue implements FakeFaults {
  #queue: PendingFault[] = [];

  get pending(): number {
    return this.#queue.reduce((sum, { times }) => sum + times, 0);
  }

  add(fault: Fault, { on, times = 1 }: FaultTarget = {}): void {
    requireValidFault(fault);
    if (times !== Infinity) requireInteger("times", times, 1);
    const matches = typeof on === "function"
      ? on
      : (request: RecordedRequest) => on === undefined || request.operation === on;
    this.#queue.push({ fault, matches, times });
  }

  clear(): void {
    this.#queue = [];
  }

  /** Removes the faults that apply to `request`: the delays up to the first other fault. */
  take(request: RecordedRequest): AppliedFaults {
    let delayMs = 0;
    let fault: AppliedFaults["fault"];
    for (const entry of this.#queue) {
      if (!entry.matches(request)) continue;
      entry.times--;
      if (entry.fault.type === "delay") {
        delayMs += entry.fault.ms;
      } else {
        fault = entry.fault;
        break;
      }
    }
    this.#queue = this.#queue.filter(({ times }) => times > 0);
    return { delayMs, fault };
  }
}

function requireValidFault(fault: Fault): void {
  switch (fault.type) {
    case "status":
      requireInteger("status", fault.status, 200, 599);
      break;
    case "delay":
      if (!(fault.ms >= 0)) throw new RangeError(`ms must be at least 0, got ${fault.ms}`);
      break;
    case "cut":
    case "stall":
    case "truncate":
      requireInteger("afterBytes", fault.afterBytes, 0);
      break;
    case "wrong-length":
      requireInteger("length", fault.length, 0);
      break;
  }
}
