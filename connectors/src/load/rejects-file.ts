import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { KeptReject } from './rejects.ts'

const LINE_FEED = 0x0a
const flushBytes = 256 * 1024

/**
 * The records as they stood in their files, under their header, so that they can be loaded once they
 * are mended; and why each was refused. Records of files with another header go to a file of their
 * own (`FILE.2`). Written aside, and renamed when whole.
 */
export class RejectsFile {
  readonly #path: string
  #causes: Part | undefined
  readonly #records: Part[] = []
  #header: Buffer | undefined

  private constructor(path: string) {
    this.#path = path
  }

  static create(path: string): RejectsFile {
    return new RejectsFile(path)
  }

  /** Records with the same header come one after the other. */
  add(reject: KeptReject): void {
    const { header, record, file, line, byte, row, column, code, cause } = reject
    if (this.#header === undefined || !this.#header.equals(header)) this.#begin(header)
    this.#records.at(-1)?.write(lineOf(record))
    const place = { line: numberOf(line), byte: numberOf(byte), row: numberOf(row) }
    const why = { file, ...place, column: column ?? undefined, code, cause }
    this.#causes ??= new Part(`${this.#path}.causes.ndjson`)
    this.#causes.write(Buffer.from(`${JSON.stringify(why)}\n`))
  }

  /** Without a record there is no file. */
  finish(): void {
    if (this.#causes === undefined) return
    for (const part of [this.#causes, ...this.#records]) part.finish()
    const directory = openSync(dirname(this.#path), 'r')
    fsyncSync(directory)
    closeSync(directory)
  }

  #begin(header: Buffer): void {
    const number = this.#records.length + 1
    const part = new Part(number === 1 ? this.#path : `${this.#path}.${number}`)
    part.write(header)
    this.#records.push(part)
    this.#header = header
  }
}

/** Tells whether a file is as {@link RejectsFile} once wrote it: some of the kept records, in their order. */
export class WrittenFile {
  readonly #file: number | undefined
  #header: Buffer | undefined
  #at = 0

  constructor(path: string) {
    this.#file = existsSync(path) ? openSync(path, 'r') : undefined
  }

  /** Of all that are kept, one after the other. */
  pass({ header, record }: Pick<KeptReject, 'header' | 'record'>): void {
    if (this.#header === undefined) {
      this.#header = header
      this.#skip(header)
    }
    if (this.#header.equals(header)) this.#skip(lineOf(record))
  }

  /** False when it holds anything else; a file that is not there holds nothing. */
  close(): boolean {
    if (this.#file === undefined) return true
    const { size } = fstatSync(this.#file)
    closeSync(this.#file)
    return this.#at === size
  }

  #skip(bytes: Buffer): void {
    if (this.#file === undefined) return
    const found = Buffer.alloc(bytes.length)
    const length = readSync(this.#file, found, 0, bytes.length, this.#at)
    if (length === bytes.length && found.equals(bytes)) this.#at += length
  }
}

function lineOf(record: Buffer): Buffer {
  return record.at(-1) === LINE_FEED ? record : Buffer.concat([record, Buffer.from('\n')])
}

/** One file, written aside. */
class Part {
  readonly #path: string
  readonly #file: number
  #pending: Buffer[] = []
  #pendingBytes = 0

  constructor(path: string) {
    this.#path = path
    this.#file = openSync(`${path}.part`, 'w')
  }

  write(bytes: Buffer): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes >= flushBytes) this.#flush()
  }

  finish(): void {
    this.#flush()
    fsyncSync(this.#file)
    closeSync(this.#file)
    renameSync(`${this.#path}.part`, this.#path)
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pending)
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at)
    this.#pending = []
    this.#pendingBytes = 0
  }
}

function numberOf(text: string | null): number | undefined {
  return text === null ? undefined : Number(text)
}
