#!/usr/bin/env node
// Plain JavaScript that an old Node can read, since finding Node 24 is its first job. It loads
// src/main.ts in the workspace and dist/main.js when packed.
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const nodeMajorMin = 24

// V8 takes these on its command line only. A young generation of 8 MB takes a Parquet file through a
// pipeline into Postgres with 330 MB at most instead of 470, for 8 % more processor time. A load makes
// few objects: with 4 MB it takes 9 MB less, for no more time.
const youngMegabytes = new Map([
  ['load', 4],
  ['run', 8],
])

const flags = heapFlags(process.argv[2])
const isOld = Number(process.versions.node.split('.', 1)[0]) < nodeMajorMin

if (isOld) await runWithNode24()
else if (flags.length > 0 && process.platform !== 'win32') replaceThisProcess(process.execPath)
else await start()

async function start() {
  module.enableCompileCache?.()
  const source = new URL('../src/main.ts', import.meta.url)
  const { main } = await import(existsSync(source) ? source.href : '../dist/main.js')
  await main(process.argv.slice(2))
}

/** None for whoever has chosen a size, us included. */
function heapFlags(command) {
  const chosen = [...process.execArgv, process.env['NODE_OPTIONS']].join(' ')
  if (!youngMegabytes.has(command) || /--max.semi.space.size/.test(chosen)) return []
  return [`--max-semi-space-size=${youngMegabytes.get(command)}`]
}

function commandLine() {
  return [...process.execArgv, ...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
}

/** execve costs 20 ms and leaves no second process behind. */
function replaceThisProcess(node) {
  process.execve(node, [node, ...commandLine()], process.env)
}

async function runWithNode24() {
  const node = findNode24()
  if (node === undefined) {
    process.stderr.write(
      `error: Millrace needs Node.js ${nodeMajorMin} or newer, and this is ${process.version} ` +
        `(${process.execPath}).\nOn Linux \`npm install millrace\` brings one along unless ` +
        `optional dependencies are left out; elsewhere get it from https://nodejs.org.\n`,
    )
    process.exit(1)
  }
  const { spawn } = await import('node:child_process')
  const child = spawn(node, commandLine(), { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches the child twice this way; it takes two within a moment for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`error: Cannot start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function findNode24() {
  try {
    const require = module.createRequire(import.meta.url)
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`)
  } catch {
    return undefined
  }
}
