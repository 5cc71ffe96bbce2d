import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { expectDocumented } from './documented.ts'
import {
  FaultServer,
  growTmpfs,
  mayMountTmpfs,
  mountTmpfs,
  temporaryDirectory,
} from './fault-server.ts'
import { exactness, Workshop } from './loads.ts'

/** A directory on a small disk; undefined where nothing can be mounted. */
async function smallDisk(megabytes: number): Promise<string | undefined> {
  const directory = await temporaryDirectory()
  const unmount = mountTmpfs(directory, megabytes)
  onTestFinished(async () => {
    unmount?.()
    await fs.rm(directory, { recursive: true, force: true })
  })
  return unmount === undefined ? undefined : directory
}

const canMount = await mayMountTmpfs()
const why = canMount ? '' : ' (skipped: no file system can be mounted here)'

test.skipIf(!canMount).each(['load append', 'run upsert'] as const)(
  `a %s waits while the disk of its table is full, and goes on when there is room${why}`,
  async (way) => {
    const disk = await smallDisk(1)
    if (disk === undefined) return
    const server = await FaultServer.start()
    onTestFinished(() => server.stop())
    const { uid, gid } = await fs.stat(server.data)
    await fs.chown(disk, uid, gid)
    await server.query(`CREATE TABLESPACE small LOCATION '${disk}'`)
    const shop = new Workshop(`${server.directory}/shop`)
    const table = await shop.table(server, way, 'TABLESPACE small')
    const run = shop.start(way, table, server.url)
    await run.said(/53100/)
    growTmpfs(disk, 64)
    const { code, said } = await run.ended
    const { found, expected } = await exactness(server, way, table)
    expect({ said, code, found }).toEqual({ said, code: 0, found: expected })
    expectDocumented('the disk is full', said)
  },
)

test.skipIf(!canMount)(
  `a server that dies of a full disk is waited for, and is exact when it is back${why}`,
  async () => {
    const disk = await smallDisk(400)
    if (disk === undefined) return
    const server = await FaultServer.start(
      { max_wal_size: '32MB', min_wal_size: '32MB' },
      join(disk, 's'),
    )
    onTestFinished(() => server.stop())
    const shop = new Workshop(join(await temporaryDirectory(), 'shop'))
    onTestFinished(() => fs.rm(join(shop.directory, '..'), { recursive: true, force: true }))
    const table = await shop.table(server, 'run append')
    const ballast = join(disk, 'ballast')
    const { bavail, bsize } = await fs.statfs(disk)
    execFileSync('fallocate', ['-l', String(bavail * bsize - 2_000_000), ballast])
    const run = shop.start('run append', table, server.url)
    await run.said(/53100|trying again/)
    await sleep(1_000)
    await fs.rm(ballast)
    await server.startAgain()
    const { code, said } = await run.ended
    const { found, expected } = await exactness(server, 'run append', table)
    expect({ said, code, found }).toEqual({ said, code: 0, found: expected })
  },
)
