/** Where prepack keeps the workspace's package.json while the published one stands in its place. */
export const sourceManifest = 'package.source.json'

/** Copied from the root into every package. */
export const rootFiles = ['LICENSE', 'README.md']
