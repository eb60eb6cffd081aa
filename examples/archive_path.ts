/** The file in ./checkpoints for a checkpoint, named by its id or its path. */
export function archivePath(name: string): string {
  return `./checkpoints/${name.replaceAll(/[^\w.-]+/g, "_")}.tar.gz`;
}
