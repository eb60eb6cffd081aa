import { Injectable, signal } from "@angular/core";

/** What screen readers are told; the app shows it in one live region. */
@Injectable({ providedIn: "root" })
export class Announcer {
  readonly #message = signal("");
  readonly message = this.#message.asReadonly();

  announce(message: string): void {
    this.#message.set(message);
  }
}
