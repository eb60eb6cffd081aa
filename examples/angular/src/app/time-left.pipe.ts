import { Pipe, type PipeTransform } from "@angular/core";

/** Milliseconds as people say them: `40 s`, `3 min`, `1 h 20 min`. */
@Pipe({ name: "timeLeft" })
export class TimeLeftPipe implements PipeTransform {
  transform(ms: number): string {
    const seconds = Math.ceil(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.ceil(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
}
