import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './paired.ts'
import { type Row, short } from './report.ts'

const root = join(import.meta.dirname, '..')
const rounds = 5

/**
 * Measures this tree against a revision of it: that is checked out beside it, gets the benchmarks of
 * now, and both take turns, the order flipped each round, so that a machine that changes speed
 * changes both alike. For times and memory, less than 1 is better; for rates, more.
 *
 * @returns a Markdown table.
 * @throws when git knows no such revision, or its packages lack what the benchmarks use.
 */
export function compareWith(revision: string, names: readonly string[]): string {
  const commit = git('rev-parse', '--short', '--verify', `${revision}^{commit}`)
  const tree = join(root, '.cache', `bench-${commit}`)
  prepare(tree, commit)
  const pairs = new Map<string, { row: Row; now: number[]; before: number[] }>()
  for (let round = 0; round < rounds; round++) {
    console.error(`round ${round + 1} of ${rounds}`)
    const order = round % 2 === 0 ? [tree, root] : [root, tree]
    for (const place of order) {
      for (const row of measureIn(place, names)) {
        const pair = pairs.get(row.what) ?? { row, now: [], before: [] }
        pairs.set(row.what, pair)
        if (row.value !== undefined) (place === root ? pair.now : pair.before).push(row.value)
      }
    }
  }
  git('worktree', 'remove', '--force', tree)
  return [
    `| | ${commit} | now | now / ${commit} | spread, ${rounds} rounds |`,
    '|---|---|---|---|---|',
    ...[...pairs.values()].map(({ row, now, before }) => line(row.what, now, before)),
  ].join('\n')
}

function prepare(tree: string, commit: string): void {
  if (existsSync(tree)) git('worktree', 'remove', '--force', tree)
  mkdirSync(join(root, '.cache'), { recursive: true })
  git('worktree', 'add', '--detach', tree, commit)
  rmSync(join(tree, 'bench'), { recursive: true })
  cpSync(join(root, 'bench'), join(tree, 'bench'), { recursive: true })
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save'], {
    cwd: tree,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function measureIn(place: string, names: readonly string[]): Row[] {
  const words = [join(place, 'bench/run.ts'), '--json', ...names]
  const { status, stdout } = spawnSync(process.execPath, words, {
    cwd: place,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`The benchmarks of now do not run in ${place}.`)
  return JSON.parse(stdout) as Row[]
}

function line(what: string, now: readonly number[], before: readonly number[]): string {
  const ratios = now.map((value, i) => value / (before[i] ?? Number.NaN))
  if (ratios.length === 0) return `| ${what} | | | not comparable | |`
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  const medians = [before, now].map((values) => short(median(values)))
  return `| ${what} | ${medians.join(' | ')} | ${median(ratios).toFixed(2)} | ${spread} |`
}

function git(...words: string[]): string {
  return execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim()
}
