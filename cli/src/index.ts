import './autorun.ts'

export * from '@millrace/connectors'
export * from '@millrace/core'
export * from '@millrace/processors'
