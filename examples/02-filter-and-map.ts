// 02 A pipeline: a file goes into a topic, and some of its rows, changed, come out.
// npx node examples/02-filter-and-map.ts
// Run it twice: the second run has nothing to do. Then: npx millrace consume airports --from-beginning -n 3
import { fileURLToPath } from 'node:url'
import { console, csv, filter, json, map, pipeline, topic } from 'millrace'

interface Airport {
  readonly iata: string
  readonly name: string
  readonly state: string
  readonly latitude: number
}

const file = fileURLToPath(new URL('../data/airports.csv', import.meta.resolve('vega-datasets')))

const airports = topic('airports', { value: json<Airport>(), key: 'iata', partitions: 2 })

export default pipeline('far-north', ({ from }) => {
  from(csv<Airport>(file)).to(airports)

  from(airports)
    .pipe(
      filter((airport) => airport.latitude > 70),
      map(({ name, latitude }) => ({ name, degreesNorth: Math.round(latitude) })),
    )
    .to(console())
})
