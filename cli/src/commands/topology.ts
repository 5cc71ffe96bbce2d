import { type Command, Option } from 'commander'

type Format = 'text' | 'mermaid' | 'json'

export default function define(command: Command): void {
  command
    .argument('<script>', 'a file whose default export is a pipeline')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['text', 'mermaid', 'json'])
        .default('text'),
    )
    .action(topology)
}

async function topology(script: string, { output }: { output: Format }): Promise<void> {
  const { topologyMermaid, topologyText } = await import('@millrace/processors')
  const { pipelineOf } = await import('../script.ts')
  const { topologyJson } = await import('../topology-json.ts')
  const { withoutSecrets } = await import('../secrets.ts')
  const print = { text: topologyText, mermaid: topologyMermaid, json: topologyJson }[output]
  process.stdout.write(`${withoutSecrets(print(await pipelineOf(script))).trimEnd()}\n`)
}
