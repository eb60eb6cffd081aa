/** All kinds of faults. */
import type { FaultKind } from "./fault_kind.ts";
import { BODY_FAULTS } from "./kinds/body_faults.ts";
import { CHUNKED_CODING_FAULTS } from "./kinds/chunked_coding_faults.ts";
import { CONNECTION_FAULTS } from "./kinds/connection_faults.ts";
import { CONTENT_ENCODING_FAULTS } from "./kinds/content_encoding_faults.ts";
import { CONTENT_LENGTH_FAULTS } from "./kinds/content_length_faults.ts";
import { RANGE_FAULTS } from "./kinds/range_faults.ts";
import { REPLACEMENT_FAULTS } from "./kinds/replacement_faults.ts";
import { STATUS_FAULTS } from "./kinds/status_faults.ts";

/** Every kind, in the order in which a seed shuffles them. */
export const FAULT_KINDS: readonly FaultKind[] = [
  ...BODY_FAULTS,
  ...CHUNKED_CODING_FAULTS,
  ...CONTENT_LENGTH_FAULTS,
  ...RANGE_FAULTS,
  ...STATUS_FAULTS,
  ...REPLACEMENT_FAULTS,
  ...CONTENT_ENCODING_FAULTS,
  ...CONNECTION_FAULTS,
];
