/** The path in ./checkpoints for an id or a checkpoint path, of characters that all systems accept. */
export function localPath(name: string): string {
  return `./checkpoints/${name.replaceAll(/[^\w.-]+/g, "_")}`;
}
