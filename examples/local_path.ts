/** Returns the path in ./checkpoints for an id or a checkpoint path, with portable characters only. */
export function localPath(name: string): string {
  return `./checkpoints/${name.replaceAll(/[^\w.-]+/g, "_")}`;
}
