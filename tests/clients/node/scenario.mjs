// The records that every suite writes and expects back (the rules are in ../README.md), and the counting of checks.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
export const PARTITIONS = 4
export const RECORDS = 40 // in each partition
export const CHUNK = 8 // records of a partition in one request, so that no batch exceeds a megabyte
export const DEADLINE_MS = 30_000
const SIZES = [0, 1, 10, 100, 1_000, 10_000, 100_000, 300_000] // bytes of a value, by index
const RUN = `${Math.floor(Date.now() / 1000).toString(16)}-${process.pid.toString(16)}` // keeps the topics of two runs apart
// In the past, so that no record is newer than the broker's clock, and well inside the default retention.
const FIRST_TIMESTAMP = Date.now() - 3_600_000

export const topicName = (suite, what) => `${suite}-${what}-${RUN}`
export const range = end => Array.from({ length: end }, (_, index) => index)

// Rises by a second a record, except that every tenth record is late by six seconds.
export const timestamp = index => FIRST_TIMESTAMP + 1_000 * (index % 10 === 9 ? index - 6 : index)

function key (partition, index) {
  if (index % 5 === 0) return null
  return Buffer.from(index % 5 === 1 ? '' : `key-${partition}-${index}`)
}

// Even records are text that compresses, odd ones are digests that do not; every eleventh is null.
function value (partition, index) {
  if (index % 11 === 7) return null
  const size = SIZES[index % SIZES.length]
  const name = `${partition}-${index}-`
  if (index % 2 === 0) return Buffer.alloc(size, name)
  const blocks = range(Math.floor(size / 32) + 1).map(block => createHash('sha256').update(name + block).digest())
  return Buffer.concat(blocks).subarray(0, size)
}

// Pairs, because a name may occur twice.
function headers (partition, index) {
  return [
    [],
    [['trace', Buffer.from(`${partition}-${index}`)]],
    [['twice', Buffer.from([0, 0xff, 0x80, 0x0a])], ['twice', Buffer.from('again')]],
    [['null', null], ['empty', Buffer.alloc(0)]]
  ][index % 4]
}

export function records (partition, count = RECORDS) {
  return range(count).map(index => ({
    offset: BigInt(index),
    key: key(partition, index),
    value: value(partition, index),
    headers: headers(partition, index),
    timestamp: BigInt(timestamp(index))
  }))
}

// For clients that cannot send a header without a value: it is empty instead.
export function recordsWithoutNullHeaders (partition, count = RECORDS) {
  return records(partition, count).map(record => ({
    ...record,
    headers: record.headers.map(([name, bytes]) => [name, bytes ?? Buffer.alloc(0)])
  }))
}

// Checks a whole partition: nothing missing, nothing twice, dense offsets, every field equal.
export function compare (partition, got, wanted) {
  for (let at = 0; at < Math.min(got.length, wanted.length); at++) {
    assert.deepEqual(outline(got[at]), outline(wanted[at]), `partition ${partition} record ${at}`)
  }
  assert.equal(got.length, wanted.length, `partition ${partition} number of records`)
}

// Equal exactly when the records are: contents by length and digest, so that a failure prints in a line.
function outline ({ offset, key, value, headers, timestamp }) {
  const content = bytes => bytes && `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex')}`
  return [offset, timestamp, content(key), content(value), headers.map(([name, bytes]) => [name, content(bytes)])]
}

export async function refused (pattern, action) {
  try {
    await action()
  } catch (error) {
    // Errors of errors: some clients only say what the broker said in a nested error.
    const said = []
    for (const all = [error]; all.length;) {
      const one = all.pop()
      if (!one) continue
      said.push(`${one.type ?? ''} ${one.apiId ?? ''} ${one.message}`)
      all.push(one.cause, ...(one.errors ?? []))
    }
    assert.match(said.join('; '), pattern)
    return
  }
  assert.fail(`was not refused with ${pattern}`)
}

export class Checks {
  passed = 0
  failed = 0

  async run (name, check, deadline = DEADLINE_MS) {
    const started = Date.now()
    let alarm
    const late = new Promise((resolve, reject) => {
      alarm = setTimeout(() => reject(new Error('no answer in time')), deadline)
    })
    try {
      await Promise.race([check(), late])
      this.passed++
      console.log(`ok   ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
    } catch (error) {
      this.failed++
      const at = /[\w]+\.mjs:\d+/.exec(error.stack?.replaceAll('scenario.mjs', '') ?? '')
      const nested = (error.errors ?? []).map(one => one.message).join('; ')
      console.log(`FAIL ${name}: ${String(error).slice(0, 700)} ${nested} (${at?.[0] ?? 'in the client'})`)
    } finally {
      clearTimeout(alarm)
    }
  }

  finish () {
    console.log(`${this.passed} passed, ${this.failed} failed`)
    // A client's open sockets must not keep a finished suite alive.
    process.exit(this.failed ? 1 : 0)
  }
}
