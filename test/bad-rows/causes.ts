/** A way in which a row is refused. */
export interface Cause {
  readonly name: string
  /** Makes the table `t` with a key `id` and a column `v`, and what they need. */
  readonly ddl: (t: string) => string
  /** The value of `v` as JSON text; of a row that passes, and of one that does not. */
  readonly good: (id: number) => string
  readonly bad: string
  readonly code: RegExp
  /** The constraint that the letter names, without the table's name before it. */
  readonly constraint?: string
}

const table = (column: string) => (t: string) =>
  `CREATE TABLE ${t} (id int PRIMARY KEY, v ${column})`
const number = (id: number) => String(id % 90)
const text = (id: number) => JSON.stringify(`text ${id}`)

/** A trigger that refuses 100 and more. */
const raising = (how: string, when: string) => (t: string) =>
  `CREATE TABLE ${t} (id int PRIMARY KEY, v int);
   CREATE FUNCTION ${t}_refuse() RETURNS trigger LANGUAGE plpgsql AS
     $$BEGIN IF new.v >= 100 THEN RAISE 'no % here', new.v ${how}; END IF; RETURN new; END$$;
   CREATE ${when} FOR EACH ROW EXECUTE FUNCTION ${t}_refuse()`.replaceAll('THE_TABLE', t)

const referring = (how: string) => (t: string) =>
  `CREATE TABLE ${t}_parent (id int PRIMARY KEY); INSERT INTO ${t}_parent SELECT generate_series(0, 89);
   CREATE TABLE ${t} (id int PRIMARY KEY, v int REFERENCES ${t}_parent ${how})`

export const causes: readonly Cause[] = [
  { name: 'a wrong type', ddl: table('int'), good: number, bad: '"abc"', code: /^22P02$/ },
  {
    name: 'a wrong type that only the server knows',
    ddl: table('inet'),
    good: (id) => `"10.0.${id % 200}.1"`,
    bad: '"10.0.0"',
    code: /^22P02$/,
  },
  { name: 'NOT NULL', ddl: table('int NOT NULL'), good: number, bad: 'null', code: /^23502$/ },
  {
    name: 'CHECK',
    ddl: table('int CHECK (v < 100)'),
    good: number,
    bad: '100',
    code: /^23514$/,
    constraint: 'v_check',
  },
  {
    name: 'the CHECK of a domain',
    ddl: (t) =>
      `CREATE DOMAIN ${t}_small AS int CHECK (VALUE < 100); CREATE TABLE ${t} (id int PRIMARY KEY, v ${t}_small)`,
    good: number,
    bad: '100',
    code: /^23514$/,
    constraint: 'small_check',
  },
  {
    name: 'a foreign key',
    ddl: referring(''),
    good: number,
    bad: '100',
    code: /^23503$/,
    constraint: 'v_fkey',
  },
  {
    name: 'a deferred foreign key',
    ddl: referring('DEFERRABLE INITIALLY DEFERRED'),
    good: number,
    bad: '100',
    code: /^23503$/,
    constraint: 'v_fkey',
  },
  {
    name: 'a second unique key',
    ddl: (t) =>
      `CREATE TABLE ${t} (id int PRIMARY KEY, v text UNIQUE); INSERT INTO ${t} VALUES (-1, 'taken')`,
    good: text,
    bad: '"taken"',
    code: /^23505$/,
    constraint: 'v_key',
  },
  {
    name: 'a deferred unique key',
    ddl: (t) =>
      `CREATE TABLE ${t} (id int PRIMARY KEY, v text UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO ${t} VALUES (-1, 'taken')`,
    good: text,
    bad: '"taken"',
    code: /^23505$/,
    constraint: 'v_key',
  },
  {
    name: 'an exclusion constraint',
    ddl: (t) =>
      `CREATE TABLE ${t} (id int PRIMARY KEY, v int4range, EXCLUDE USING gist (v WITH &&)); INSERT INTO ${t} VALUES (-1, '[-9,-1)')`,
    good: (id) => `"[${2 * id},${2 * id + 1})"`,
    bad: '"[-5,-4)"',
    code: /^23P01$/,
    constraint: 'v_excl',
  },
  {
    name: 'a trigger',
    ddl: raising('', 'TRIGGER refuse BEFORE INSERT ON THE_TABLE'),
    good: number,
    bad: '100',
    code: /^P0001$/,
  },
  {
    name: 'a trigger with a code of its own',
    ddl: raising("USING ERRCODE = 'ZX001'", 'TRIGGER refuse AFTER INSERT ON THE_TABLE'),
    good: number,
    bad: '100',
    code: /^ZX001$/,
  },
  {
    name: 'a deferred constraint trigger',
    ddl: raising(
      '',
      'CONSTRAINT TRIGGER refuse AFTER INSERT ON THE_TABLE DEFERRABLE INITIALLY DEFERRED',
    ),
    good: number,
    bad: '100',
    code: /^P0001$/,
  },
  { name: 'NUL', ddl: table('text'), good: text, bad: String.raw`"a\u0000b"`, code: /^22021$/ },
  {
    name: 'a lone surrogate',
    ddl: table('text'),
    good: text,
    bad: String.raw`"a\ud83db"`,
    code: /^22021$/,
  },
  {
    name: String.raw`\u0000 in jsonb`,
    ddl: table('jsonb'),
    good: (id) => `{"n":${id}}`,
    bad: String.raw`{"a":["\u0000"]}`,
    code: /^22P05$/,
  },
  {
    name: 'a lone surrogate in jsonb',
    ddl: table('jsonb'),
    good: (id) => `{"n":${id}}`,
    bad: String.raw`{"\udc00":1}`,
    code: /^22P05$/,
  },
  {
    name: 'the year 0',
    ddl: table('timestamptz'),
    good: (id) => `"2001-01-01T00:00:${10 + (id % 50)}Z"`,
    bad: '"0000-01-01T00:00:00Z"',
    code: /^2200[78]$/,
  },
  {
    name: 'the year 300000',
    ddl: table('timestamptz'),
    good: (id) => `"2001-01-01T00:00:${10 + (id % 50)}Z"`,
    bad: '"300000-01-01T00:00:00Z"',
    code: /^2200[78]$/,
  },
  {
    name: 'a date of the year 0',
    ddl: table('date'),
    good: () => '"2001-01-01"',
    bad: '"0000-01-01"',
    code: /^2200[78]$/,
  },
  {
    name: 'Infinity in an integer',
    ddl: table('int'),
    good: number,
    bad: '"Infinity"',
    code: /^22/,
  },
  {
    name: 'a number beyond a double',
    ddl: table('float8'),
    good: number,
    bad: '1e400',
    code: /^RECORD_INVALID$/,
  },
  {
    name: 'an integer that would become another',
    ddl: table('bigint'),
    good: number,
    bad: '9007199254740993',
    code: /^RECORD_INVALID$/,
  },
  {
    name: '-Infinity in a numeric of some digits',
    ddl: table('numeric(5,2)'),
    good: number,
    bad: '"-Infinity"',
    code: /^22003$/,
  },
  {
    name: 'a numeric that overflows',
    ddl: table('numeric(5,2)'),
    good: number,
    bad: '12345.6',
    code: /^22003$/,
  },
  {
    name: 'an integer that overflows',
    ddl: table('bigint'),
    good: number,
    bad: '"9223372036854775808"',
    code: /^22003$/,
  },
  { name: 'a real that overflows', ddl: table('real'), good: number, bad: '1e39', code: /^22003$/ },
  {
    name: 'a text that is too long',
    ddl: table('varchar(9)'),
    good: text,
    bad: '"longer than nine"',
    code: /^22001$/,
  },
]
