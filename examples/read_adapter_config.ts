/**
 * Reads the adapter configuration from the archive of a checkpoint. The transfer ends after that entry.
 *
 *     deno task example examples/read_adapter_config.ts [CHECKPOINT_PATH]
 */
import { connect } from "./connect.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/final"] = Deno.args;

connect({ archiveBytes: 2 * 1024 ** 3 })
  .readArchiveEntry$(checkpointPath, "adapter_config.json")
  .subscribe((bytes) => console.log(JSON.parse(new TextDecoder().decode(bytes))));
