import { Component, computed, input, output } from "@angular/core";
import { errorWords } from "./error-words";

/** Shows an error and a button to retry. */
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
