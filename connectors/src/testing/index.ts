export { startPostgres } from './postgres-server.ts'
export type { PostgresServer, PostgresServerOptions } from './postgres-server.ts'
export type { AccountKind } from './postgres-account.ts'
