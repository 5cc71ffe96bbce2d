export type * from '@millrace/processors'
