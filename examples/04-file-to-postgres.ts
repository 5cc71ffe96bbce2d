// 04 A file into Postgres, exactly once: kill it anywhere, start it again, and the tables are right.
// DATABASE_URL=postgres://… npx node examples/04-file-to-postgres.ts
import { fileURLToPath } from 'node:url'
import { aggregate, count, csv, json, keyBy, pipeline, postgres, topic } from 'millrace'
import { z } from 'zod'

// A schema gives the values their types, here and in the table.
const Airport = z.object({
  iata: z.string(),
  name: z.string(),
  city: z.string().nullable(),
  state: z.string().nullable(),
  latitude: z.number(),
  longitude: z.number(),
})

const file = fileURLToPath(new URL('../data/airports.csv', import.meta.resolve('vega-datasets')))

const airports = topic('airports', { value: json(Airport), key: 'iata', partitions: 2 })

export default pipeline('airports', ({ from }) => {
  from(csv<z.infer<typeof Airport>>(file)).to(airports)

  // One row for each key: a record with the same key again would replace it.
  from(airports).to(postgres.table('airports', { key: 'iata', create: true }))

  from(airports)
    .pipe(keyBy('state'), aggregate({ airports: count() }))
    .to(postgres.table('airports_by_state', { key: 'state', create: true }))
})
