import { open, shareLog } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { outlineOf } from './outline.ts'
import pipeline from './remote-stages-fixture.ts'
import { RemoteStages } from './remote-stages.ts'

test('a thread that is gone before it is told to run has not run', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  const stages = new RemoteStages(
    'lengths',
    {
      script: new URL('./remote-stages-fixture.ts', import.meta.url).href,
      outline: outlineOf(pipeline.plan),
      logPort: shareLog(log),
      logId: '',
      openings: [],
      topics: new Map(),
      ends: new Map(),
      thread: 0,
      share: new Map(),
      onError: 'fail',
      deadLettersMax: Infinity,
      final: false,
    },
    () => {},
  )
  await stages.ready()
  await stages.kill()
  const gone = { code: 'THREAD_FAILED' }
  await expect(stages.open('any')).rejects.toMatchObject(gone)
  await expect(stages.run()).rejects.toMatchObject(gone)
  await stages.close()
  await log.close()
})
