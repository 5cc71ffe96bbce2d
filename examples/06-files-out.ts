// 06 Files out, exactly once: Parquet by day and place; kill it anywhere, and no row is in two files or in none.
// npx node examples/06-files-out.ts && find out -name '*.parquet'
import { csv, generate, json, parquet, pipeline, topic } from 'millrace'
import { z } from 'zod'

// Columns of files have the types of the schema.
const Reading = z.object({ station: z.string(), at: z.date(), celsius: z.number() })
type Reading = z.infer<typeof Reading>

const readings = topic('readings', { value: json(Reading), key: 'station', partitions: 2 })

export default pipeline('archive', ({ from }) => {
  from(generate({ count: 20_000, record: reading })).to(readings)

  // out/readings/dt=1970-01-01/station=Oslo/readings-0-00000000000000000000.parquet
  from(readings).to(
    parquet.files('out/readings', { partitionBy: { dt: { day: 'at' }, station: 'station' } }),
  )
  from(readings).to(csv.files('out/all', { compression: 'gzip', rollBytes: 256 * 1024 }))
})

function reading(i: number): Reading {
  const station = ['Lima', 'Oslo', 'Rome'][i % 3] ?? ''
  return { station, at: new Date(i * 10_000), celsius: (i * 7) % 30 }
}
