import { Injectable, signal } from "@angular/core";

/** Announces messages to screen readers, in the live region of the app. */
@Injectable({ providedIn: "root" })
export class Announcer {
  readonly #message = signal("");
  readonly message = this.#message.asReadonly();

  announce(message: string): void {
    this.#message.set(message);
  }
}
