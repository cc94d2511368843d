// Loaded into a process: its wall clock is so many ms off, and jumps at each SIGUSR2 by the next of these steps.

const { WALL_CLOCK_OFF = '0', WALL_CLOCK_STEPS = '' } = process.env
const steps = WALL_CLOCK_STEPS.split(',').map(Number)
const now = Date.now
let off = Number(WALL_CLOCK_OFF)

globalThis.Date = class extends Date {
  constructor(...when) {
    if (when.length === 0) super(now() + off)
    else super(...when)
  }
}
Date.now = () => now() + off
process.on('SIGUSR2', () => (off += steps.shift() ?? 0))
