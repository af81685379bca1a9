// @platformatic/kafka: producer, admin, and the consumer's own low-level fetch, which needs no group.
//
// Usage: node platformatic.mjs HOST:PORT
import { Admin, ConfigResourceTypes, Consumer, IncrementalAlterConfigOperationTypes, Producer, clientSoftwareVersion, compressionsAlgorithms } from '@platformatic/kafka'
import assert from 'node:assert/strict'
import { runPlatformaticGroups } from './platformatic-groups.mjs'
import { CHUNK, CODECS, Checks, PARTITIONS, RECORDS, compare, range, records, refused, timestamp, topicName } from './scenario.mjs'

const base = { clientId: 'platformatic', bootstrapBrokers: [process.argv[2]], retries: 3 }
const admin = new Admin(base)
// Its stream joins a group; fetch, metadata and listOffsets do not.
const consumer = new Consumer({ ...base, groupId: 'never-joined' })
const topic = what => topicName('platformatic', what)

async function produce (name, batches, { codec = 'none', idempotent = false, acks = -1 } = {}) {
  const producer = new Producer({ ...base, idempotent, acks, compression: codec, autocreateTopics: true })
  const count = batches.values().next().value.length
  for (let first = 0; first < count; first += CHUNK) {
    const messages = [...batches].flatMap(([partition, all]) => all.slice(first, first + CHUNK).map(record => ({
      topic: name,
      partition,
      key: record.key,
      value: record.value,
      // Buffers as keys of the map, so that a name can occur twice.
      headers: new Map(record.headers.map(([name, bytes]) => [Buffer.from(name), bytes])),
      timestamp: record.timestamp
    })))
    const { offsets } = await producer.send({ messages })
    if (acks) {
      assert.deepEqual(new Set(offsets.map(({ partition }) => partition)), new Set(batches.keys()), 'acknowledged partitions')
      for (const { partition, offset } of offsets) assert.equal(offset, BigInt(first), `acknowledged offset in partition ${partition}`)
    }
  }
  await producer.close()
}

async function described (name) {
  return (await admin.metadata({ topics: [name], forceUpdate: true })).topics.get(name)
}

async function fetch (name, partition, offset, { maxBytes = 1_048_576, maxWaitTime = 500 } = {}) {
  const metadata = await consumer.metadata({ topics: [name] })
  const { id, partitions } = metadata.topics.get(name)
  const { responses } = await consumer.fetch({
    node: partitions[partition].leader,
    maxWaitTime,
    maxBytes,
    topics: [{
      topicId: id,
      partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: BigInt(offset), lastFetchedEpoch: -1, partitionMaxBytes: maxBytes }]
    }]
  })
  const batches = responses.flatMap(answer => answer.partitions).flatMap(({ records }) => records ?? [])
  return batches.flatMap(batch => batch.records.map(({ key, value, headers, offsetDelta, timestampDelta }) => ({
    offset: batch.firstOffset + BigInt(offsetDelta),
    key,
    value,
    headers: headers.map(([name, bytes]) => [name.toString(), bytes]),
    timestamp: batch.firstTimestamp + timestampDelta
  }))).filter(record => record.offset >= BigInt(offset))
}

async function consume (name, partition, first, end, options) {
  const got = []
  while (got.length < end - first) {
    const more = await fetch(name, partition, first + got.length, options)
    assert.ok(more.length, `partition ${partition} is empty at offset ${first + got.length}`)
    got.push(...more)
  }
  return got
}

async function create (name, partitions = PARTITIONS, configs = {}) {
  const given = Object.entries(configs).map(([name, value]) => ({ name, value }))
  return admin.createTopics({ topics: [name], partitions, replicas: 1, configs: given })
}

async function cluster () {
  const { id, brokers, controllerId } = await admin.metadata({ topics: [] })
  assert.ok(id)
  assert.ok(brokers.has(controllerId))
}

async function createTopic () {
  const name = topic('explicit')
  const [created] = await create(name)
  const { id, partitions } = await described(name)
  assert.equal(created.id, id)
  assert.equal(partitions.length, PARTITIONS)
  assert.ok(partitions.every(({ leader, isr }) => leader >= 0 && isr.includes(leader)))
  await refused(/TOPIC_ALREADY_EXISTS/, () => create(name))
  await refused(/INVALID_TOPIC_EXCEPTION/, () => create('not/a/topic'))
}

async function roundTrip (codec, idempotent) {
  const name = topic(`${codec}-${idempotent ? 'idempotent' : 'plain'}`)
  await create(name)
  const batches = new Map(range(PARTITIONS).map(partition => [partition, records(partition)]))
  await produce(name, batches, { codec, idempotent })
  for (const [partition, wanted] of batches) compare(partition, await consume(name, partition, 0, RECORDS), wanted)
}

async function autoCreated () {
  const name = topic('auto')
  const batches = new Map([[0, records(0)]])
  await produce(name, batches, { acks: 1, codec: 'gzip' })
  compare(0, await consume(name, 0, 0, RECORDS), batches.get(0))
}

async function noAcknowledgement () {
  const name = topic('acks-0')
  await create(name)
  const batches = new Map([[2, records(2)]])
  await produce(name, batches, { acks: 0 })
  compare(2, await consume(name, 2, 0, RECORDS), batches.get(2))
}

async function smallFetches () {
  compare(1, await consume(topic('snappy-plain'), 1, 0, RECORDS, { maxBytes: 2_000 }), records(1))
}

async function longPoll () {
  const name = topic('poll')
  await create(name, 1)
  const started = Date.now()
  const waiting = fetch(name, 0, 0, { maxWaitTime: 8_000 })
  await new Promise(resolve => setTimeout(resolve, 1_000))
  await produce(name, new Map([[0, records(0, 1)]]))
  assert.equal((await waiting).length, 1)
  assert.ok(Date.now() - started < 5_000, 'not woken by the record')
}

async function listOffsets () {
  const name = topic('lz4-idempotent')
  const asked = [
    [-2n, 0n], [-1n, BigInt(RECORDS)], [-3n, 38n],
    [BigInt(timestamp(0) - 5_000), 0n], [BigInt(timestamp(12)), 12n], [BigInt(timestamp(27) + 1), 28n], [BigInt(timestamp(38) + 1), -1n]
  ]
  for (const [spec, wanted] of asked) {
    const partitions = range(PARTITIONS).map(partitionIndex => ({ partitionIndex, timestamp: spec }))
    const [answer] = await admin.listOffsets({ topics: [{ name, partitions }] })
    assert.deepEqual(answer.partitions.map(({ offset }) => offset), Array(PARTITIONS).fill(wanted), `asked for ${spec}`)
  }
  const ends = await consumer.listOffsets({ topics: [name] })
  assert.deepEqual(ends.get(name), Array(PARTITIONS).fill(BigInt(RECORDS)))
}

async function deleteRecords () {
  const name = topic('gzip-idempotent')
  const [answer] = await admin.deleteRecords({ topics: [{ name, partitions: [{ partition: 0, offset: 15n }, { partition: 1, offset: -1n }] }] })
  const low = answer.partitions.sort((a, b) => a.partition - b.partition).map(({ lowWatermark }) => lowWatermark)
  assert.deepEqual(low, [15n, BigInt(RECORDS)])
  compare(0, await consume(name, 0, 15, RECORDS), records(0).slice(15))
  await refused(/OFFSET_OUT_OF_RANGE/, () => fetch(name, 0, 3))
}

async function configs () {
  const name = topic('configs')
  await create(name, 1, { 'retention.ms': '7200000' })
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: name }
  const values = async () => {
    const [{ configs }] = await admin.describeConfigs({ resources: [resource], includeSynonyms: true, includeDocumentation: true })
    return Object.fromEntries(configs.map(({ name, value }) => [name, value]))
  }
  assert.equal((await values())['retention.ms'], '7200000')
  assert.equal((await values())['max.message.bytes'], '1048588')
  const set = (name, value) => {
    const change = { name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }
    return admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: [change] }] })
  }
  await set('retention.ms', '3600000')
  assert.equal((await values())['retention.ms'], '3600000')
  await refused(/INVALID_CONFIG/, () => set('no.such.config', '1'))
}

async function logDirectories () {
  const name = topic('none-idempotent')
  const found = await admin.describeLogDirs({ topics: [{ name, partitions: range(PARTITIONS) }] })
  const partitions = found.flatMap(({ results }) => results).flatMap(({ topics }) => topics).flatMap(({ partitions }) => partitions)
  assert.deepEqual(partitions.map(({ partitionIndex }) => partitionIndex).sort(), range(PARTITIONS))
  assert.ok(partitions.every(({ partitionSize }) => partitionSize > 1_000_000n))
}

async function tooLarge () {
  const name = topic('too-large')
  await create(name, 1, { 'max.message.bytes': '50000' })
  const [record] = records(0, 1)
  await refused(/MESSAGE_TOO_LARGE/, () => produce(name, new Map([[0, [{ ...record, value: Buffer.alloc(60_000) }]]])))
  await produce(name, new Map([[0, records(0, 5)]]))
}

async function morePartitions () {
  const name = topic('grown')
  await create(name, 2)
  await admin.createPartitions({ topics: [{ name, count: PARTITIONS + 2, assignments: null }] })
  const batches = new Map(range(PARTITIONS + 2).map(partition => [partition, records(partition, 5)]))
  await produce(name, batches)
  for (const [partition, wanted] of batches) compare(partition, await consume(name, partition, 0, 5), wanted)
}

async function deleteTopic () {
  const name = topic('explicit')
  await admin.deleteTopics({ topics: [name] })
  assert.ok(!(await admin.listTopics()).includes(name), 'still listed')
  await refused(/UNKNOWN_TOPIC_OR_PARTITION/, () => admin.deleteTopics({ topics: [name] }))
}


const codecs = CODECS.filter(codec => compressionsAlgorithms[codec].available)
console.log(`@platformatic/kafka ${clientSoftwareVersion}, Node ${process.version}; its low-level fetch is used, since its stream needs a group`)
for (const codec of CODECS) if (!codecs.includes(codec)) console.log(`skipped: codec ${codec} of @platformatic/kafka: the zlib of Node ${process.version} lacks it`)
const checks = new Checks()
await checks.run('cluster', cluster)
await checks.run('create topic', createTopic)
for (const idempotent of [true, false]) {
  for (const codec of codecs) {
    await checks.run(`codec ${codec}, ${idempotent ? 'idempotent' : 'not idempotent'}`, () => roundTrip(codec, idempotent))
  }
}
await checks.run('auto-created topic', autoCreated)
await checks.run('no acknowledgement', noAcknowledgement)
await checks.run('small fetches', smallFetches)
await checks.run('long poll', longPoll)
await checks.run('list offsets', listOffsets)
await checks.run('delete records', deleteRecords)
await checks.run('configs', configs)
await checks.run('log directories', logDirectories)
await checks.run('record too large', tooLarge)
await checks.run('more partitions', morePartitions)
await checks.run('delete topic', deleteTopic)
await runPlatformaticGroups(checks, base.bootstrapBrokers[0])
checks.finish()
