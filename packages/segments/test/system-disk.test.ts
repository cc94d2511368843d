// The machine's disk when it is full or fails. What can't be provoked where the tests run is skipped, and says so.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { systemDisk } from '@sluice/segments'

const MODULE = pathToFileURL(join(import.meta.dirname, '../src/system-disk.ts')).href

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-system-disk-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Runs a program that has `disk`, `path` and `told`, in a shell line of its own; returns what it told. */
function run(folder: string, program: string, line: string = '"$0" "$@"'): unknown[] {
  const script = join(folder, 'program.mjs')
  const head = `import { systemDisk as disk } from '${MODULE}'\nconst path = '${folder}/file', lines = []\n`
  const told = `const told = async (what) => lines.push(await what.then((v) => v ?? 'done', (e) => e.code + ' ' + e.path))\n`
  writeFileSync(script, `${head}${told}${program}\nprocess.stdout.write(JSON.stringify(lines))\n`)
  // strace counts by thread: all calls have to come from one.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  const result = spawnSync('sh', ['-c', line, process.execPath, script], { encoding: 'utf8', env })
  if (result.status !== 0) throw new Error(`exit ${result.status}: ${result.stderr}`)
  return JSON.parse(result.stdout) as unknown[]
}

/** strace can make a system call fail, where it is and is allowed to trace. */
const canInject = process.platform === 'linux' && spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0
const INJECTED = canInject ? '' : ' (skipped: there is no strace that may trace)'
const inject = (folder: string, fault: string): string =>
  `exec strace -f -qq -o /dev/null -P ${folder}/file -e trace=all -e inject=${fault} "$0" "$@"`

test.skipIf(!existsSync('/dev/full'))('a full device rejects with ENOSPC and its path (fault 9)', async () => {
  const file = await systemDisk.open('/dev/full', 'write')
  const failed = expect(file.write(Buffer.alloc(100), 0)).rejects
  await failed.toMatchObject({ code: 'ENOSPC', path: '/dev/full', message: expect.stringContaining("'/dev/full'") })
  await file.close()
})

test.skipIf(process.platform === 'win32')(
  'a write that is cut short goes on, and rejects where it can’t: the part that fitted is there (fault 13)',
  () => {
    const folder = temporaryFolder()
    const program = `
      const file = await disk.open(path, 'create')
      await told(file.write(Buffer.alloc(3000, 'x'), 0))
      await told(file.size())`
    // Blocks of 512 bytes in sh: the limit is 1,024 bytes.
    const lines = run(folder, program, 'ulimit -f 2 && exec "$0" "$@"')
    const { size } = statSync(`${folder}/file`)
    expect(lines).toEqual([`EFBIG ${folder}/file`, size])
    expect(size).toBeGreaterThan(0)
    expect(size).toBeLessThan(3000)
  },
)

test.skipIf(!canInject)(`a disk that takes nothing and says nothing is SHORT_WRITE (fault 13)${INJECTED}`, () => {
  const folder = temporaryFolder()
  const program = `
    const file = await disk.open(path, 'create')
    await told(file.write(Buffer.from('nothing of this'), 0))
    await told(file.write(Buffer.from('all of this'), 0))`
  expect(run(folder, program, inject(folder, 'pwrite64:retval=0:when=1'))).toEqual([
    `SHORT_WRITE ${folder}/file`,
    'done',
  ])
  expect(readFileSync(`${folder}/file`, 'latin1')).toBe('all of this')
})

test.skipIf(!canInject)(`a write that was interrupted is tried again (fault 13)${INJECTED}`, () => {
  const folder = temporaryFolder()
  const program = `
    const file = await disk.open(path, 'create')
    await told(file.write(Buffer.from('all of this'), 0))`
  expect(run(folder, program, inject(folder, 'pwrite64:error=EAGAIN:when=1..3'))).toEqual(['done'])
  expect(readFileSync(`${folder}/file`, 'latin1')).toBe('all of this')
})

test.skipIf(!canInject)(`a read that was interrupted is tried again (fault 13)${INJECTED}`, () => {
  const folder = temporaryFolder()
  writeFileSync(`${folder}/file`, 'content')
  const program = `
    const file = await disk.open(path, 'read')
    const target = Buffer.alloc(7)
    await told(file.read(target, 0))
    lines.push(target.toString())`
  expect(run(folder, program, inject(folder, 'pread64:error=EINTR:when=1..3'))).toEqual([7, 'content'])
})

test.skipIf(!canInject)(`a read that came to less goes on after it${INJECTED}`, () => {
  const folder = temporaryFolder()
  writeFileSync(`${folder}/file`, 'content')
  const program = `
    const file = await disk.open(path, 'read')
    const target = Buffer.from('-------')
    await told(file.read(target, 0))
    lines.push(target.toString())`
  // strace only says that 3 bytes were read.
  expect(run(folder, program, inject(folder, 'pread64:retval=3:when=1'))).toEqual([7, '---tent'])
})

test.skipIf(!canInject)(`a sync that fails rejects, and is not tried again (fault 11)${INJECTED}`, () => {
  const folder = temporaryFolder()
  const program = `
    const file = await disk.open(path, 'create')
    await told(file.sync())
    await told(file.sync())`
  expect(run(folder, program, inject(folder, 'fdatasync:error=EIO:when=1'))).toEqual([`EIO ${folder}/file`, 'done'])
})

test.skipIf(!canInject)(`a folder is synced in the one above it, also one that was there already${INJECTED}`, () => {
  const folder = temporaryFolder()
  mkdirSync(`${folder}/there`)
  const trace = join(folder, 'trace')
  const program = `await told(disk.makeFolder('${folder}/there/a/b')); await told(disk.makeFolder('${folder}/there'))`
  const line = `exec strace -f -qq -y -s 1000 -o ${trace} -e trace=mkdir,mkdirat,fsync "$0" "$@"`
  expect(run(folder, program, line)).toEqual(['done', 'done'])
  const calls = readFileSync(trace, 'utf8').matchAll(/(mkdir|fsync)[^/]*(\/[^">]*).*= 0/g)
  const steps = Array.from(calls, ([, call, path]) => `${call} ${path!.slice(folder.length)}`)
  expect(steps).toEqual(['fsync ', 'mkdir /there/a', 'fsync /there', 'mkdir /there/a/b', 'fsync /there/a', 'fsync '])
})

test.skipIf(process.platform !== 'linux')('nothing stays open', async () => {
  const folder = temporaryFolder()
  const open = (): string[] =>
    execFileSync('ls', ['-l', `/proc/${process.pid}/fd`], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(folder))
  await systemDisk.makeFolder(`${folder}/a/b`)
  const file = await systemDisk.open(`${folder}/a/file`, 'create')
  await systemDisk.syncFolder(`${folder}/a`)
  await expect(systemDisk.syncFolder(`${folder}/none`)).rejects.toThrow('ENOENT')
  expect(open()).toHaveLength(1)
  await file.close()
  expect(open()).toEqual([])
})
