export * from './control.ts'
export * from './header.ts'
