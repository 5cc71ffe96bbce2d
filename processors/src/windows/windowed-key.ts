declare const windowed: unique symbol

/** The key of a stream between `window(...)` and the aggregate that must follow. */
export interface Windowed<K> {
  readonly [windowed]: K
}

/** Properties that a window adds to the key of its results. */
export interface WindowBounds {
  /** First moment of the window. */
  readonly window_start: Date
  /** First moment after the window. */
  readonly window_end: Date
}
