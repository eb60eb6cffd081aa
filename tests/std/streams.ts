/** Backs `@std/streams` with `node:stream/consumers` where JSR can't be reached. */
export {
  arrayBuffer as toArrayBuffer,
  blob as toBlob,
  json as toJson,
  text as toText,
} from "node:stream/consumers";
