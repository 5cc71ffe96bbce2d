// A pipeline whose stages run in another thread.
import { json } from '@millrace/core'
import { map, pipeline, topic } from '../../index.ts'

const words = topic('words', { value: json<string>() })
const lengths = topic('lengths', { value: json<number>() })

export default pipeline('lengths', ({ from }) => {
  from(words)
    .pipe(map((word) => word.length))
    .to(lengths)
})
