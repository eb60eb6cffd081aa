import { Pipe, type PipeTransform } from "@angular/core";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A number of bytes in the unit that suits it: `67 MB`. */
@Pipe({ name: "byteSize" })
export class ByteSizePipe implements PipeTransform {
  transform(bytes: number): string {
    const exponent = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
    return new Intl.NumberFormat("en", {
      style: "unit",
      unit: UNITS[exponent],
      maximumSignificantDigits: 3,
    }).format(bytes / 1000 ** exponent);
  }
}
