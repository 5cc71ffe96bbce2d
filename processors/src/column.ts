export type { Column, ColumnType } from '@millrace/core'
