declare module 'fs-native-extensions' {
  /** Takes an exclusive open-file-description lock; false when somebody else has it. */
  export function tryLock(fd: number): boolean
}
