import type { Ports } from '../io/index.ts'
import { GroupCoordinator } from '../groups/index.ts'
import { processIdentity } from '../io/index.ts'
import { damagedFile } from '../storage/checkpoint.ts'
import { Disk } from '../storage/disk.ts'
import { LogClock } from '../storage/log-clock.ts'
import { createPartitionFiles, openPartition } from '../storage/partition-directory.ts'
import type { PartitionDirectory } from '../storage/partition-directory.ts'
import { TransactionCoordinator } from '../transactions/coordinator.ts'
import { Journal, JOURNAL_TOPIC, replayJournal } from '../transactions/journal.ts'
import { JournalState } from '../transactions/journal-state.ts'
import { claimDirectory } from './data-directory.ts'
import { EmbeddedLog } from './embedded-log.ts'
import { DEFAULT_TOPIC_CONFIG } from './topic-config.ts'
import { readRegistry, REGISTRY_FILE, writeRegistry } from './topic-registry.ts'
import type { Registry } from './topic-registry.ts'
import { RetentionTimer, UNRECORDED_MS_MAX } from './retention-timer.ts'
import { Topics } from './topics.ts'

/** A sink that was written to longer ago can't tell a copy. */
const OPENINGS_KEPT = 256
const JOURNAL_PLACE = { topic: JOURNAL_TOPIC, partition: 0 }

/** Opens a data directory for writing: takes it, recovers it, and deals with open transactions. */
export async function openEmbedded(directory: string, ports: Ports): Promise<EmbeddedLog> {
  const disk = new Disk(ports.fileSystem, directory)
  const { lock, meta } = await claimDirectory(ports, disk, processIdentity())
  let journal: Journal | undefined
  let topics: Topics | undefined
  try {
    const { registry, time, isClosedInOrder } = await beginEpoch(disk, ports, meta.logId)
    const { leaderEpoch } = registry
    journal = await openJournal({ disk, clock: ports.clock, time, leaderEpoch }, meta.logId)
    await forgetDeletedTopics(journal, registry)
    const transactions = new TransactionCoordinator(journal, ports.clock)
    const { clock, random } = ports
    topics = await Topics.open(
      {
        disk,
        clock,
        time,
        random,
        admit: (header, partition) => transactions.admit(header, partition),
      },
      registry,
      isClosedInOrder,
    )
    // From then on readers beside this process go by the watermarks, so those come first.
    const recovered = [journal, ...topics.partitions]
    await Promise.allSettled(recovered.map((partition) => partition.watermarkSettled()))
    await topics.noteRecovered(ports.clock.boot?.()?.id)
    await transactions.resume(topics.partitions)
    const { logId } = meta
    const retention = new RetentionTimer(clock, topics, time)
    return new EmbeddedLog({
      openings: registry.openings ?? [],
      ports,
      disk,
      lock,
      logId,
      url: directory,
      topics,
      journal,
      transactions,
      retention,
      groups: new GroupCoordinator({ clock, random }),
    })
  } catch (error) {
    await topics?.close()
    await journal?.close().catch(() => {
      // The error that is thrown says more.
    })
    await lock.release()
    throw error
  }
}

/** Every opening for writing is a leader epoch of its own, recorded before anything is written in it. */
async function beginEpoch(
  disk: Disk,
  { clock, random }: Ports,
  logId: string,
): Promise<{ registry: Registry; time: LogClock; isClosedInOrder: boolean }> {
  const before = await readRegistry(disk.fileSystem, disk.directory)
  if (before === undefined) await createJournal(disk, logId)
  const isClosedInOrder = before?.isClosedInOrder === true
  const time = new LogClock(clock, before?.moment, isClosedInOrder ? 0 : UNRECORDED_MS_MAX)
  const leaderEpoch = (before?.leaderEpoch ?? -1) + 1
  const opening = `${leaderEpoch}.${random.uuid().slice(0, 8)}`
  const registry = {
    leaderEpoch,
    openings: [...(before?.openings ?? []), opening].slice(-OPENINGS_KEPT),
    topics: before?.topics ?? [],
    deleted: before?.deleted ?? [],
    moment: time.moment(),
    ...(before?.recoveredInBoot === undefined ? {} : { recoveredInBoot: before.recoveredInBoot }),
  }
  await writeRegistry(disk, registry)
  return { registry, time, isClosedInOrder }
}

/** A deletion that crashed half-way left positions that point nowhere. */
async function forgetDeletedTopics(journal: Journal, registry: Registry): Promise<void> {
  const known = new Set(registry.topics.map(({ topicId }) => topicId))
  for (const topicId of journal.state.topicIds) {
    if (!known.has(topicId)) await journal.write({ type: 'topic-deleted', topicId })
  }
}

/** @throws CorruptDataError when the log is in use, so that only its registry is missing. */
async function createJournal(disk: Disk, logId: string): Promise<void> {
  for (const name of await disk.fileSystem.list(disk.directory)) {
    const found = await disk.fileSystem.stat(`${disk.directory}/${name}`)
    if (found?.kind !== 'directory' || name === `${JOURNAL_TOPIC}-0`) continue
    throw damagedFile(`${disk.directory}/${REGISTRY_FILE}`, `it is missing, yet ${name} is there`)
  }
  await createPartitionFiles(disk, JOURNAL_PLACE, logId)
  await disk.syncDirectory(disk.directory)
}

async function openJournal(
  opening: Pick<PartitionDirectory, 'disk' | 'clock' | 'time' | 'leaderEpoch'>,
  logId: string,
): Promise<Journal> {
  const partition = await openPartition({
    ...JOURNAL_PLACE,
    ...opening,
    topicId: logId,
    config: { ...DEFAULT_TOPIC_CONFIG, maxMessageBytes: 2 ** 31 - 1 },
    isClosedInOrder: false,
  })
  try {
    const { damage, startOffset } = partition.log
    if (damage !== undefined) throw damagedFile(damage.file, damage.reason, damage.position)
    const state = new JournalState()
    await replayJournal(partition.log, state, startOffset)
    return new Journal(partition, state, opening.clock)
  } catch (error) {
    await partition.close().catch(() => {
      // The error that is thrown says more.
    })
    throw error
  }
}
