/** Where the log lies on the simulated disk. */
export const DIRECTORY = '/data'
