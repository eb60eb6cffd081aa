// This module is browser compatible.

import { ceilTo, TAR_BLOCK } from "./tar_header.ts";

/** BF16, the dtype of the tensors. */
const BYTES_PER_VALUE = 2;

const TARGET_MODULES = ["q_proj", "v_proj"];
const TENSORS_PER_LAYER = TARGET_MODULES.length * 2;

/** Returns the minimum length of the weights in bytes: one layer that is one value wide. */
export function minWeightsBytes(rank: number): number {
  return TENSORS_PER_LAYER * rank * BYTES_PER_VALUE;
}

/** Returns the text files of an adapter. */
export function configFiles(baseModel: string, rank: number): [name: string, text: string][] {
  const json = (value: unknown) => JSON.stringify(value, null, 2) + "\n";
  const endOfText = { content: "<|endoftext|>", lstrip: false, rstrip: false, normalized: false };
  return [
    [
      "README.md",
      `---\nbase_model: ${baseModel}\nlibrary_name: peft\n---\n\n# LoRA adapter for ${baseModel}\n`,
    ],
    [
      "adapter_config.json",
      json({
        base_model_name_or_path: baseModel,
        bias: "none",
        fan_in_fan_out: false,
        inference_mode: true,
        init_lora_weights: true,
        lora_alpha: 2 * rank,
        lora_dropout: 0,
        modules_to_save: ["norm"],
        peft_type: "LORA",
        r: rank,
        target_modules: TARGET_MODULES,
        task_type: "CAUSAL_LM",
        use_rslora: false,
      }),
    ],
    ["special_tokens_map.json", json({ eos_token: endOfText, pad_token: endOfText })],
    [
      "tokenizer_config.json",
      json({
        eos_token: "<|endoftext|>",
        model_max_length: 131_072,
        pad_token: "<|endoftext|>",
        tokenizer_class: "PreTrainedTokenizerFast",
      }),
    ],
  ];
}

/**
 * Returns the start of a safetensors file: the length of the JSON (8 bytes, little endian) and the JSON.
 *
 * @param fileLength The length of the safetensors file, in bytes.
 * @param archiveBytes The length of the archive, which determines the number of layers.
 * @param rank The LoRA rank.
 */
export function safetensorsHeader(
  fileLength: number,
  archiveBytes: number,
  rank: number,
): Uint8Array<ArrayBuffer> {
  // Up to 36 layers, as in Qwen3-8B. Their header would fill a small archive, which has fewer.
  const layers = Math.min(36, 1 + Math.floor(archiveBytes / 2 ** 20));
  const json = (length: number) => JSON.stringify(tensorsJson(length, layers, rank));
  // The final JSON can be a few digits longer than this estimate; the padding has room for them.
  const headerLength = ceilTo(TAR_BLOCK, 8 + json(fileLength).length + 16);
  const header = new Uint8Array(headerLength).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerLength - 8), true);
  header.set(new TextEncoder().encode(json(fileLength - headerLength)), 8);
  return header;
}

/** Returns LoRA's A and B for each target module of each layer, and a norm that fills the rest. */
function tensorsJson(length: number, layers: number, rank: number): Record<string, unknown> {
  const width = Math.floor(length / (layers * TENSORS_PER_LAYER * rank * BYTES_PER_VALUE));
  const tensors: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let offset = 0;
  const add = (name: string, shape: number[]) => {
    const end = offset + shape.reduce((product, size) => product * size, BYTES_PER_VALUE);
    tensors[`base_model.model.model.${name}`] = {
      dtype: "BF16",
      shape,
      data_offsets: [offset, end],
    };
    offset = end;
  };
  for (let layer = 0; layer < layers; layer++) {
    for (const module of TARGET_MODULES) {
      add(`layers.${layer}.self_attn.${module}.lora_A.weight`, [rank, width]);
      add(`layers.${layer}.self_attn.${module}.lora_B.weight`, [width, rank]);
    }
  }
  add("norm.weight", [(length - offset) / BYTES_PER_VALUE]);
  return tensors;
}
