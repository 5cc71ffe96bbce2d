/** A value that JSON can hold; positions of sources and sinks are stored in this form. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json }
