/** Fails the build when dist grows beyond what a binary should carry. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const LIMIT_BYTES = 1_600_000;
const dist = new URL('../dist/', import.meta.url).pathname;

const sizes = readdirSync(dist, { recursive: true })
  .map((name) => statSync(join(dist, String(name))))
  .filter((entry) => entry.isFile())
  .map((entry) => entry.size);
const total = sizes.reduce((sum, size) => sum + size, 0);
console.log(`dist: ${sizes.length} files, ${(total / 1000).toFixed(0)} kB of ${LIMIT_BYTES / 1000} kB`);
if (total > LIMIT_BYTES) {
  console.error('dist is too large: load more of it lazily, or leave something out');
  process.exit(1);
}
