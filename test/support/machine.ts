// What the machine says of a process.

import { readFileSync } from 'node:fs'

/** Bytes of memory that a process has, on Linux. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}
