// What Linux tells about a running process: /proc/PID. The programs under test are measured from outside, so that
// they run exactly as they do for a user.

import { readFileSync } from 'node:fs'

/** Ticks per second of the times in /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/**
 * CPU time that a process has used, all its threads, user and system, in milliseconds; it moves in steps of 10.
 * Throws when the process is gone.
 */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field is the command in parentheses, and may hold spaces: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
}

/** Resident memory of a process in bytes. Throws when the process is gone. */
export function rssBytesOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  if (line === null) throw new Error(`process ${pid} has no memory left: it has ended`)
  return Number(line[1]) * 1024
}

/** CPU time that the whole machine has used since it started, all cores, in milliseconds, idle and I/O wait left out. */
export function machineCpuMs(): number {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1')
    .split(/\s+/, 9)
    .map(Number)
  const ticks = [user, nice, system, irq, softirq, steal].reduce<number>((sum, each) => sum + (each ?? 0), 0)
  return (ticks * 1000) / TICKS_PER_SECOND
}
