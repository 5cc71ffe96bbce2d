import type { Command } from 'commander'

export default function define(command: Command): void {
  command.action(() => {})
}
