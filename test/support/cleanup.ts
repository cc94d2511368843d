// What tests leave behind is cleared away after each file of them; what a command of ours runs, when it says so.

type Cleanup = () => void | Promise<void>

const cleanups: Cleanup[] = []

// Outside of vitest it can't even be loaded.
if (process.env['VITEST'] !== undefined) (await import('vitest')).afterAll(cleanUp)

/** Has it called after all tests of the file, or by {@link cleanUp}. */
export function atEnd(cleanup: Cleanup): void {
  cleanups.push(cleanup)
}

/** Calls all of them, in their order. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0)) await cleanup()
}
