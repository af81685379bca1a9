// What both JavaScript suites check of consumer groups.
//
// A suite hands over `join({ name, group, sessionMs, instance })`, which subscribes to the topic `name`, resets to the
// earliest offset and commits nothing by itself. It gives a member: `has` (a Set of partitions), `rounds` (how often it
// was assigned some), `records` (by partition, pairs of offset and value), `error`, `commit(offsets)` and `committed()`
// (a Map from partition to offset), `close()`. `tools` has create(name), produce(name, first, end), which puts records
// value(partition, offset) into each partition, and what the check of the tools calls.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS, PARTITIONS, range, topicName } from './scenario.mjs'

export const SESSION_MS = 6_000 // the least that Kafka allows by default
export const PATIENT_SESSION_MS = 45_000 // longer than any check waits: what happens within it is not a timeout's doing
export const HEARTBEAT_MS = 1_000
const EACH = 30 // records in each partition, numbered from 0 as their offsets

export const value = (partition, offset) => `${partition}-${offset}`

// What a member starts with.
export const fresh = () => ({ has: new Set(), rounds: 0, records: range(PARTITIONS).map(() => []), error: null })

const partitionsOf = members => members.flatMap(member => [...member.has]).sort()

// Whether the members have all the partitions, each as many, none twice.
function shared (...members) {
  if (members.some(member => member.has.size !== PARTITIONS / members.length)) return false
  return String(partitionsOf(members)) === String(range(PARTITIONS))
}

// Waits until it holds; gives how long that took.
async function until (what, holds, ...members) {
  const started = Date.now()
  while (!holds()) {
    for (const { error } of members) if (error) throw error
    if (Date.now() - started > DEADLINE_MS) {
      const seen = members.map(({ has, records }) => `${[...has]} with ${records.map(some => some.length)}`)
      throw new Error(`not in time: ${what}; members have ${seen.join('; ')}`)
    }
    await sleep(20)
  }
  return Date.now() - started
}

// Waits until the members have read up to `end`, each record once and in order.
async function readTo (end, ...members) {
  const read = partition => members.flatMap(member => member.records[partition])
  await until(`read to ${end}`, () => range(PARTITIONS).every(partition => read(partition).length >= end), ...members)
  for (const partition of range(PARTITIONS)) {
    const wanted = range(end).map(offset => [offset, value(partition, offset)])
    assert.deepEqual(read(partition).sort(([a], [b]) => a - b), wanted, `records of partition ${partition}`)
    for (const { records: { [partition]: some } } of members) {
      assert.ok(some.every(([offset], at) => at === 0 || some[at - 1][0] < offset), `order in partition ${partition}`)
    }
  }
}

// A member in a process of its own, to be killed: the suite's file of groups is run by itself.
export const memberArguments = () => {
  const [bootstrap, name, group, sessionMs, instance] = process.argv.slice(2)
  return { bootstrap, name, group, sessionMs: Number(sessionMs), instance }
}

async function begin (suite, tools, what) {
  const name = topicName(suite, `group-${what}`)
  await tools.create(name)
  return { name, group: `of-${name}`, sessionMs: SESSION_MS }
}

async function shareAndLeave (suite, join, tools) {
  const asked = { ...await begin(suite, tools, 'share'), sessionMs: PATIENT_SESSION_MS }
  const [first, second] = await Promise.all([join(asked), join(asked)])
  await until('two members share', () => shared(first, second), first, second)
  await tools.produce(asked.name, 0, EACH)
  await readTo(EACH, first, second)
  for (const member of [first, second]) await member.commit(new Map([...member.has].map(partition => [partition, EACH])))
  await second.close()
  await until('one has all', () => shared(first), first)
  await tools.produce(asked.name, EACH, 2 * EACH)
  await readTo(2 * EACH, first, second)
  await first.close()
}

async function commitAndResume (suite, join, tools) {
  const asked = await begin(suite, tools, 'resume')
  await tools.produce(asked.name, 0, EACH)
  const wanted = new Map(range(PARTITIONS).map(partition => [partition, 5 + 3 * partition]))
  const before = await join(asked)
  await readTo(EACH, before)
  await before.commit(wanted)
  assert.deepEqual(await before.committed(), wanted, 'committed, asked by the same member')
  await before.close()
  const after = await join(asked)
  const rest = partition => EACH - wanted.get(partition)
  await until('read the rest', () => after.records.every((some, partition) => some.length >= rest(partition)), after)
  for (const [partition, offset] of wanted) {
    const offsets = after.records[partition].map(([offset]) => offset)
    assert.deepEqual(offsets, range(EACH).slice(offset), `resumed in partition ${partition}`)
  }
  assert.deepEqual(await after.committed(), wanted, 'committed, asked by the next member')
  await after.close()
}

function start (file, bootstrap, { name, group, sessionMs, instance }) {
  const given = [bootstrap, name, group, sessionMs, ...(instance ? [instance] : [])]
  return spawn(process.execPath, [file, ...given.map(String)], { stdio: ['ignore', 'ignore', 'inherit'] })
}

const killed = child => new Promise(resolve => child.once('exit', resolve).kill('SIGKILL'))

async function crash (suite, join, tools, { file, bootstrap }) {
  const asked = await begin(suite, tools, 'crash')
  const stays = await join(asked)
  await until('the first has all', () => shared(stays), stays)
  const dies = start(file, bootstrap, asked)
  try {
    await until('the process joins', () => stays.has.size === PARTITIONS / 2, stays)
    await sleep(2 * HEARTBEAT_MS) // a whole round of heartbeats, so that the group is stable
  } finally {
    await killed(dies)
  }
  const waited = await until("the dead member's partitions move on", () => shared(stays), stays)
  // Nobody leaves by losing the connection, as a client may come back.
  assert.ok(waited > SESSION_MS - 3 * HEARTBEAT_MS && waited < SESSION_MS + 12_000, `taken away after ${waited} ms`)
  await stays.close()
}

async function staticMember (suite, join, tools, { file, bootstrap }) {
  const asked = { ...await begin(suite, tools, 'static'), sessionMs: PATIENT_SESSION_MS }
  const stays = await join({ ...asked, instance: 'a' })
  await until('the first has all', () => shared(stays), stays)
  const restarts = start(file, bootstrap, { ...asked, instance: 'b' })
  try {
    await until('the process joins', () => stays.has.size === PARTITIONS / 2, stays)
    await sleep(2 * HEARTBEAT_MS)
  } finally {
    await killed(restarts)
  }
  const { rounds } = stays
  const back = await join({ ...asked, instance: 'b' })
  await until('its partitions are back', () => shared(stays, back), stays, back)
  await tools.produce(asked.name, 0, EACH)
  await readTo(EACH, stays, back)
  assert.equal(stays.rounds, rounds, 'rebalances that the other member saw')
  await back.close()
  await stays.close()
}

// Tools that a client lacks are undefined.
async function administer (suite, join, tools) {
  const asked = await begin(suite, tools, 'tools')
  const { name, group } = asked
  await tools.produce(name, 0, EACH)
  const member = await join(asked)
  await readTo(EACH, member)
  await member.commit(new Map(range(PARTITIONS).map(partition => [partition, 10 + partition])))
  assert.ok((await tools.listGroups()).includes(group), 'not listed')
  const upper = ({ state, members }) => [state.toUpperCase(), members]
  assert.deepEqual(upper(await tools.describeGroup(group, name)), ['STABLE', [range(PARTITIONS)]])
  await assert.rejects(() => tools.deleteGroup(group), 'deleted while it runs')
  await member.close()
  assert.deepEqual(upper(await tools.describeGroup(group, name)), ['EMPTY', []])
  const offsets = async () => Object.fromEntries(await tools.offsets(group, name))
  assert.deepEqual(await offsets(), { 0: 10, 1: 11, 2: 12, 3: 13 })
  const ends = await tools.ends(name)
  assert.deepEqual(range(PARTITIONS).map(partition => ends[partition] - (10 + partition)), [20, 19, 18, 17], 'lag')
  await tools.resetOffsets(group, name, new Map([[0, 0], [1, EACH]]))
  assert.deepEqual(await offsets(), { 0: 0, 1: EACH, 2: 12, 3: 13 })
  if (tools.deleteOffsets) {
    await tools.deleteOffsets(group, name, [2])
    assert.deepEqual(await offsets(), { 0: 0, 1: EACH, 3: 13 })
  }
  await tools.deleteGroup(group)
  assert.ok(!(await tools.listGroups()).includes(group), 'still listed')
  assert.deepEqual(await offsets(), {})
  await assert.rejects(() => tools.deleteGroup(group), 'deleted twice')
}

// All at the same time: most of it is the broker's own waiting for members that may still come, or may be dead.
export async function runGroups (checks, suite, join, tools, own) {
  const named = [
    ['two members share, one leaves', shareAndLeave],
    ['commit and resume', commitAndResume],
    ['a member crashes', crash],
    ['tools', administer]
  ]
  if (own.hasStatic) named.push(['static member restarts', staticMember])
  await Promise.all(named.map(([name, check]) => checks.run(`group: ${name}`, () => check(suite, join, tools, own), 2 * DEADLINE_MS)))
}
