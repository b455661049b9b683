/** What the pages name is there: files, links, commands, codes; and one word of the glossary is one row. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { KINDS } from '../src/kinds/table';
import { repo } from './support/repo';

const pagesIn = (folder: string): string[] =>
  readdirSync(join(repo, folder)).filter((name) => name.endsWith('.md')).map((name) => join(folder, name));

const pages = [...['.', 'docs'].flatMap(pagesIn), 'native/README.md', 'test/kernel/README.md',
  'test/fixtures/README.md'];
const read = (page: string): string => readFileSync(join(repo, page), 'utf8');

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: repo,
  encoding: 'utf8',
}).trim().split('\n').filter((file) => existsSync(join(repo, file)));
const names = new Set(files.map((file) => basename(file)));
const rooms = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]));

const SOURCE = /[\w-]\.(c|cc|h|ts|js|md)$/;
/** Folders that begin a path in the sources of Linux or CRIU. */
const ELSEWHERE = /^(arch|block|compel|criu|drivers|fs|include|io_uring|kernel|lib|mm|net|security)\//;

/** Paths and file names of this tree, by their look, that a text has, in backquotes or without. */
function pathsOf(text: string): string[] {
  const words = text.match(/(?<![\w./:<*@-])(?:\.\.\/)*[\w.-]+(?:\/[\w.{},<>*-]+)*\/?/g) ?? [];
  const paths = words.map((word) => word.replace(/[.,]+$/, '')).filter((word) => !/[<>{}*]|^Node\.js$/.test(word));
  return [...new Set(paths)].filter((path) => {
    if (ELSEWHERE.test(path)) return false;
    return path.includes('/') ? rooms.has(path.split('/')[0]) || SOURCE.test(path) : SOURCE.test(path);
  });
}

function isThere(path: string, page: string): boolean {
  if (!path.includes('/')) return names.has(path);
  return ['.', dirname(page), 'native', 'src'].some((folder) => existsSync(join(repo, folder, path)));
}

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading.toLowerCase().replace(/[^\w\- ]/g, '').trim().replaceAll(' ', '-');

const anchorsOf = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchorOf(text!));

describe.each(pages)('%s', (page) => {
  test('names files and folders that are there', () => {
    expect(pathsOf(read(page)).filter((path) => !isThere(path, page))).toEqual([]);
  });

  test('links to what is there', () => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
    const broken = links.filter((link) => !/^https?:/.test(link)).filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : relative(repo, join(repo, dirname(page), path));
      if (!existsSync(join(repo, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names codes that docs/errors.md has', () => {
    const documented = new Set([...read('docs/errors.md').matchAll(/^\| `(E_[A-Z_]+)` \|/gm)].map(([, code]) => code));
    const named = read(page).match(/(?<=`)E_[A-Z_]+(?=`)/g) ?? [];
    expect(named.filter((code) => !documented.has(code))).toEqual([]);
  });

  test('names commands of npm that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/npm run ([\w:-]*\w)/g)].map(([, name]) => name!);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

test('each word of the glossary has one row', () => {
  const [, glossary = ''] = /^## Glossary$(.*?)^## /ms.exec(read('ARCHITECTURE.md')) ?? [];
  const words = [...glossary.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, words]) => words!.split(', ')).slice(2);
  expect(words.length).toBeGreaterThan(20);
  expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
});

test('docs/descriptors.md and docs/sockets.md have a heading for each kind, in the order of the table', () => {
  const headings = `${read('docs/descriptors.md')}${read('docs/sockets.md')}`.matchAll(/^## ([\w-]+): /gm);
  expect([...headings].map(([, name]) => name)).toEqual(KINDS.map(({ name }) => name));
});
