/** Adds archives of Node's `tar`, with which npm packs: make_node_archives.ts DIRECTORY */
import { create } from "npm:tar@^7.5.2";

const [root = ""] = Deno.args;
const cwd = `${root}/trees/plain`;
await create({ gzip: true, cwd, file: `${root}/odd/node-tar.tar.gz` }, ["."]);
await create({ gzip: true, cwd, portable: true, file: `${root}/odd/node-tar-portable.tgz` }, ["."]);
await create({ cwd, file: `${root}/odd/node-tar.tar` }, ["."]);
