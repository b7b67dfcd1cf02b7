/* The Dockerfile, the compose file and the nginx configuration of the sample, as far as no daemon is needed. container-run.spec.ts runs them
 * as processes, and the job `container` of CI builds the image and starts the containers. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import {
  commandOf,
  contextPaths,
  copiesOf,
  environmentOf,
  NGINX,
  readCompose,
  readStages,
  ROOT,
  SAMPLE,
} from './container-files.js';

const STAGES = readStages();
const IMAGE = STAGES.at(-1)!;
const COPIES = STAGES.flatMap(copiesOf);
const COMPOSE = readCompose();
const SERVICES = Object.entries<any>(COMPOSE.services);
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const isBelow = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

describe('Dockerfile', () => {
  const fromContext = COPIES.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);

  it('copies files that exist, and that the context has', () => {
    const allowed = contextPaths();
    expect(fromContext.filter(path => !existsSync(join(ROOT, path)))).toEqual([]);
    const isAllowed = (path: string) => allowed.some(each => isBelow(path, each) || isBelow(each, path));
    expect(fromContext.filter(path => !isAllowed(path))).toEqual([]);
  });

  it('has a context of files that exist and that it copies', () => {
    const isCopied = (path: string) => fromContext.some(source => isBelow(path, source));
    expect(contextPaths().filter(path => !existsSync(join(ROOT, path)) || !isCopied(path))).toEqual([]);
  });

  it('copies from stages that stand before', () => {
    STAGES.forEach((stage, index) => {
      const before = STAGES.slice(0, index).map(({ name }) => name);
      const named = copiesOf(stage).flatMap(({ from }) => from ?? []);
      expect([...before, 'none']).toEqual(expect.arrayContaining(named));
    });
  });

  it('runs scripts that package.json has', () => {
    const runs = STAGES.flatMap(({ instructions }) => instructions).filter(({ name }) => name === 'RUN');
    const scripts = runs.flatMap(({ text }) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!),
    );
    expect(scripts).not.toEqual([]);
    expect(scripts.filter(name => manifest.scripts[name] === undefined)).toEqual([]);
  });

  it('pins its base, and has no other', () => {
    const names = STAGES.flatMap(({ name }) => name ?? []);
    const bases = STAGES.map(({ from }) => from).filter(from => !names.includes(from));
    expect(bases).toEqual([expect.stringMatching(/^node:\d+\.\d+\.\d+-slim$/)]);
  });

  it('installs production dependencies alone, and keeps no file of development', () => {
    const sources = copiesOf(IMAGE).flatMap(({ from, sources }) =>
      sources.map(source => `${from} ${source}`),
    );
    expect(sources).toEqual([
      'dependencies /app/package.json',
      'dependencies /app/node_modules',
      'build /app/dist',
      'build /app/sample/agent-api/dist',
    ]);
    const install = STAGES.find(({ name }) => name === 'dependencies')!.instructions.at(-1)!;
    // Without the second, npm installs what is optional for a dependency and in the lock for development, such as TypeScript.
    expect(install.text).toContain('npm ci --omit=dev --omit=optional');
  });

  it('runs without root, and writes nothing afterwards', () => {
    const names = IMAGE.instructions.map(({ name }) => name);
    const user = names.indexOf('USER');
    expect(IMAGE.instructions[user]!.text).toBe('node');
    expect(names.slice(user)).not.toEqual(expect.arrayContaining(['COPY']));
    expect(names.slice(user)).not.toEqual(expect.arrayContaining(['RUN']));
  });

  it('sets variables that the sample reads, and no secret', () => {
    const example = readFileSync(join(SAMPLE, '.env.example'), 'utf8');
    const names = Object.keys(environmentOf(IMAGE));
    expect(names.filter(name => name !== 'NODE_ENV' && !example.includes(`#${name}=`))).toEqual([]);
    expect(names.filter(name => /KEY|SECRET|PASSWORD/.test(name))).toEqual([]);
  });

  it('starts a file that the sample builds', () => {
    const [program, main] = commandOf(IMAGE, 'CMD');
    expect([program, main]).toEqual(['node', 'sample/agent-api/dist/main.js']);
    expect(existsSync(join(ROOT, main!.replace('dist', 'src').replace('.js', '.ts')))).toBe(true);
  });

  it('makes every package that the sample imports a dependency', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dependencies-'));
    copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    execFileSync(process.execPath, [join(SAMPLE, 'dependencies.mjs')], { cwd: folder });
    const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    rmSync(folder, { recursive: true });
    const sources = readdirSync(join(SAMPLE, 'src'), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .map(name => readFileSync(join(SAMPLE, 'src', name), 'utf8'));
    const imports = sources.flatMap(text =>
      [...text.matchAll(/(?:from|import) '((?:@[\w-]+\/)?[\w-]+)['/]/g)].map(([, name]) => name!),
    );
    expect(imports).toContain('reflect-metadata');
    const missing = imports.filter(name => name !== manifest.name && typeof dependencies[name] !== 'string');
    expect(missing).toEqual([]);
    expect(Object.values(dependencies).filter(version => typeof version !== 'string')).toEqual([]);
  });
});

describe('compose.yaml', () => {
  it.each(SERVICES)('%s: read-only, without privileges, not root', (name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
    // The image of the app has its own user.
    expect(service.user).toBe(name === 'app' ? undefined : name);
    expect(service.privileged ?? service.network_mode ?? service.cap_add).toBeUndefined();
  });

  it('pins the images that it does not build', () => {
    const images = SERVICES.flatMap(([, { image }]) => image ?? []);
    expect(images).toHaveLength(2);
    expect(images.filter((image: string) => !/^[a-z]+:\d+\.\d+\.\d+-alpine$/.test(image))).toEqual([]);
  });

  it('builds the image of the Dockerfile', () => {
    const { context, dockerfile } = COMPOSE.services.app.build;
    expect(resolve(SAMPLE, context)).toBe(ROOT);
    expect(join(ROOT, dockerfile)).toBe(join(SAMPLE, 'Dockerfile'));
  });

  it('publishes the port of nginx alone, to this machine', () => {
    const published = SERVICES.filter(([, { ports }]) => ports !== undefined);
    expect(published.map(([name, { ports }]) => [name, ports])).toEqual([['nginx', ['127.0.0.1:8080:8080']]]);
    expect(NGINX).toContain('listen 8080;');
  });

  it('keeps Redis in a network without a way out, behind a password', () => {
    const { redis, app } = COMPOSE.services;
    expect([redis.networks, COMPOSE.networks.back.internal]).toEqual([['back'], true]);
    expect(redis.command.at(-1)).toContain('requirepass $$REDISCLI_AUTH');
    expect(redis.environment.REDISCLI_AUTH).toMatch(/^\$\{REDIS_PASSWORD:\?/);
    expect(app.environment.REDIS_URL).toMatch(/^redis:\/\/:\$\{REDIS_PASSWORD:\?[^}]+\}@redis:6379/);
  });

  it('stops where a secret is not set', () => {
    const variables = [...JSON.stringify(COMPOSE).matchAll(/(?<!\$)\$\{(\w+)([^}]*)\}/g)];
    expect(new Set(variables.map(([, name]) => name))).toEqual(new Set(['REDIS_PASSWORD', 'AUDIT_KEY']));
    expect(variables.filter(([, , rest]) => !rest!.startsWith(':?'))).toEqual([]);
  });

  it('trusts the address of nginx, which no other container is given', () => {
    const address: string = COMPOSE.services.nginx.networks.front.ipv4_address;
    expect(COMPOSE.services.app.environment.TRUST_PROXY).toBe(address);
    const [{ subnet, ip_range: range }] = COMPOSE.networks.front.ipam.config;
    expect([subnet, range]).toEqual(['172.30.57.0/28', '172.30.57.0/29']);
    expect(Number(address.split('.')[3])).toBeGreaterThanOrEqual(8);
    expect(Number(address.split('.')[3])).toBeLessThan(15);
  });

  it('mounts files and volumes that exist', () => {
    const mounts: string[] = SERVICES.flatMap(([, { volumes }]) => volumes ?? []).map(
      (text: string) => text.split(':')[0]!,
    );
    expect(mounts).toEqual(['./nginx.conf', 'audit']);
    expect([existsSync(join(SAMPLE, mounts[0]!)), 'audit' in COMPOSE.volumes]).toEqual([true, true]);
  });

  it('sets variables that the sample reads', () => {
    const example = readFileSync(join(SAMPLE, '.env.example'), 'utf8');
    const names = Object.keys(COMPOSE.services.app.environment);
    expect(names.filter(name => !example.includes(`#${name}=`))).toEqual([]);
  });
});

describe('the guides', () => {
  const blockOf = (page: string, title: string): string =>
    readFileSync(join(ROOT, 'docs/guides', page), 'utf8')
      .split(`title=${title}\n`)[1]!
      .split('```')[0]!;
  const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

  test('nginx.conf has the map and the location of Behind a proxy', () => {
    const parts = (text: string): string[] =>
      [/^ *map [^}]*\}/m, /location \/ [^}]*\}/].map(part => oneLine(part.exec(text)![0]));
    const ours = parts(NGINX).map(part => part.replace('app:3000', '127.0.0.1:3000'));
    expect(ours).toEqual(parts(blockOf('proxies.md', 'nginx.conf')));
  });

  test('Docker Compose shows nginx.conf, and compose.yaml for an app of its own', () => {
    expect(oneLine(blockOf('compose.md', 'nginx.conf'))).toBe(oneLine(NGINX.replaceAll(/^#.*\n/gm, '')));
    const { name: _, ...shown } = structuredClone(COMPOSE);
    shown.services.app.build = '.';
    const where = ', see the top of compose.yaml';
    const expected = JSON.parse(JSON.stringify(shown).replaceAll(where, ''));
    expect(parse(blockOf('compose.md', 'compose.yaml'), { merge: true })).toEqual(expected);
    const guide = oneLine(readFileSync(join(ROOT, 'docs/guides/compose.md'), 'utf8'));
    expect(guide).toContain(`\`RUN ${IMAGE.instructions.find(({ name }) => name === 'RUN')!.text}\``);
  });

  test('Deployment shows the base and the health check', () => {
    const last = readStages(blockOf('deployment.md', 'Dockerfile')).at(-1)!;
    expect(last.from).toBe(STAGES[0]!.from);
    expect(commandOf(last, 'HEALTHCHECK')).toEqual(commandOf(IMAGE, 'HEALTHCHECK'));
  });
});
