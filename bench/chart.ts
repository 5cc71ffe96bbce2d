/** One measured value in a chart. */
export interface Dot {
  readonly x: string | number
  readonly y: number
  readonly series: string
  /** The unit; each has a panel of its own. */
  readonly panel: string
}

/** Draws dots as an SVG: lines over numbers, bars over names; all axes of numbers are logarithmic. */
export async function draw(title: string, dots: readonly Dot[]): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')])
  const isNumeric = dots.every(({ x }) => typeof x === 'number')
  const panels = [...new Set(dots.map(({ panel }) => panel))]
  const series = [...new Set(dots.map((dot) => dot.series))]
  const panel = (name: string) => ({
    width: 280,
    height: 200,
    data: { values: dots.filter((dot) => dot.panel === name) },
    mark: isNumeric ? { type: 'line' as const, point: true } : { type: 'bar' as const },
    encoding: {
      x: isNumeric ? overNumbers(title, dots) : overNames(title, dots),
      ...(isNumeric ? {} : { xOffset: { field: 'series', sort: series } }),
      y: {
        field: 'y',
        type: 'quantitative' as const,
        title: name,
        scale: isNumeric ? { type: 'log' as const } : {},
        axis: { format: '~s' },
      },
      color: { field: 'series', type: 'nominal' as const, title: null, sort: series },
    },
  })
  const { spec } = vegaLite.compile({
    background: 'white',
    hconcat: panels.map(panel),
    config: { legend: { orient: 'top' } },
  })
  return new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG()
}

function overNumbers(title: string, dots: readonly Dot[]) {
  const values = [...new Set(dots.map(({ x }) => Number(x)))]
  // A logarithm has no place for none at all.
  const type = values.includes(0) ? ('symlog' as const) : ('log' as const)
  return {
    field: 'x',
    type: 'quantitative' as const,
    title,
    scale: { type },
    axis: { values, format: '~s' },
  }
}

function overNames(title: string, dots: readonly Dot[]) {
  const sort = [...new Set(dots.map(({ x }) => String(x)))]
  return { field: 'x', type: 'nominal' as const, title, sort, axis: { labelAngle: 0 } }
}
