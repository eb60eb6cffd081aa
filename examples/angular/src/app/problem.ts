import { Component, computed, input, output } from "@angular/core";
import { errorWords } from "./error-words";

/** An error in words, with a button to try again. */
@Component({
  selector: "app-problem",
  template: `
    <p role="alert">
      <strong>{{ words().title }}</strong> {{ words().advice }}
    </p>
    <button type="button" (click)="retry.emit()">Try again</button>
  `,
  styleUrl: "./problem.css",
})
export class Problem {
  readonly error = input.required<unknown>();
  readonly retry = output();

  protected readonly words = computed(() => errorWords(this.error()));
}
