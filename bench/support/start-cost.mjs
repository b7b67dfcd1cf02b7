/* What the import and the start of an app cost with the module, beside the same app without it. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SERVER_CORE, startNode } from './child.mjs';
import { median } from './figures.mjs';
import { alternate } from './measure.mjs';
import { ROOT } from './prepare.mjs';

const SCRIPT = 'bench/support/start-cost-process.mjs';
/** The module loads it where it is installed. */
const SWAGGER = '@nestjs/swagger';

/** A folder with the published package and the packages of this one, without @nestjs/swagger: an app that does not use it has not installed it. */
function createFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'start-cost-'));
  for (const path of ['dist/published', SCRIPT])
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  const packages = join(ROOT, 'node_modules');
  const names = readdirSync(packages).flatMap(name =>
    name.startsWith('@') ? readdirSync(join(packages, name)).map(each => `${name}/${each}`) : [name],
  );
  for (const name of names.filter(each => each !== SWAGGER)) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(packages, name), link);
  }
  return folder;
}

/**
 * @param {{ hasSwagger: boolean }} installed
 * @returns {Promise<Map<string, { addedMs: number, addedHeapMB: number }>>} by platform, medians of the rounds
 */
export async function measureStartCost(platforms, rounds, { hasSwagger }) {
  const folder = hasSwagger ? undefined : createFolder();
  try {
    return await measureIn(folder ?? ROOT, platforms, rounds);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  }
}

async function measureIn(folder, platforms, rounds) {
  const runs = platforms.flatMap(platform => ['bare', 'ours'].map(stack => ({ platform, stack })));
  const results = await alternate(runs, rounds, async run => {
    const child = startNode(SERVER_CORE, join(folder, SCRIPT), run, ['--expose-gc']);
    try {
      return await child.next();
    } finally {
      await child.stop();
    }
  });
  const of = (platform, stack) =>
    results.get(runs.find(run => run.platform === platform && run.stack === stack));
  return new Map(
    platforms.map(platform => {
      const added = read =>
        median(of(platform, 'ours').map((ours, round) => read(ours) - read(of(platform, 'bare')[round])));
      return [
        platform,
        {
          addedMs: added(({ startMs }) => startMs),
          addedHeapMB: added(({ heapMB }) => heapMB),
        },
      ];
    }),
  );
}
