// @platformatic/kafka in consumer groups. It has no cooperative rebalances.
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { fileURLToPath } from 'node:url'
import { HEARTBEAT_MS, fresh, memberArguments, runGroups, value } from './groups.mjs'
import { PARTITIONS, range } from './scenario.mjs'

const file = fileURLToPath(import.meta.url)

export function groupsOf (bootstrap) {
  const base = { clientId: 'platformatic', bootstrapBrokers: [bootstrap], retries: 3 }
  const admin = new Admin(base)

  async function join ({ name, group, sessionMs, instance }) {
    const settings = { sessionTimeout: sessionMs, rebalanceTimeout: sessionMs, heartbeatInterval: HEARTBEAT_MS }
    const consumer = new Consumer({ ...base, groupId: group, ...(instance ? { groupInstanceId: instance } : {}), ...settings, maxWaitTime: 200 })
    const member = fresh()
    consumer.on('consumer:group:join', ({ assignments }) => {
      member.has = new Set(assignments?.find(({ topic }) => topic === name)?.partitions)
      member.rounds++
    })
    const stream = await consumer.consume({ topics: [name], mode: 'committed', fallbackMode: 'earliest', autocommit: false })
    stream.on('data', ({ partition, offset, value }) => member.records[partition].push([Number(offset), value.toString()]))
    stream.on('error', error => { member.error = error })
    return Object.assign(member, {
      commit: offsets => consumer.commit({
        offsets: [...offsets].map(([partition, offset]) => ({ topic: name, partition, offset: BigInt(offset), leaderEpoch: -1 }))
      }),
      async committed () {
        const found = await consumer.listCommittedOffsets({ topics: [{ topic: name, partitions: range(PARTITIONS) }] })
        return new Map(found.get(name).map((offset, partition) => [partition, Number(offset)]))
      },
      async close () {
        await consumer.close(true)
        member.has = new Set()
      }
    })
  }

  const tools = {
    create: name => admin.createTopics({ topics: [name], partitions: PARTITIONS, replicas: 1 }),
    async produce (name, first, end) {
      const producer = new Producer(base)
      const offsets = range(end).slice(first)
      await producer.send({
        messages: offsets.flatMap(offset => range(PARTITIONS).map(partition => ({
          topic: name,
          partition,
          value: Buffer.from(value(partition, offset))
        })))
      })
      await producer.close()
    },
    listGroups: async () => [...(await admin.listGroups()).keys()],
    async describeGroup (group, name) {
      const { state, members } = (await admin.describeGroups({ groups: [group] })).get(group)
      return { state, members: [...members.values()].map(({ assignments }) => assignments.get(name).partitions.sort()) }
    },
    async offsets (group) {
      const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [group] })
      const known = topics.flatMap(({ partitions }) => partitions).sort((a, b) => a.partitionIndex - b.partitionIndex)
      return new Map(known.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]))
    },
    async ends (name) {
      const partitions = range(PARTITIONS).map(partitionIndex => ({ partitionIndex, timestamp: -1n }))
      const [answer] = await admin.listOffsets({ topics: [{ name, partitions }] })
      return Object.fromEntries(answer.partitions.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)]))
    },
    resetOffsets: (group, name, offsets) => admin.alterConsumerGroupOffsets({
      groupId: group,
      topics: [{ name, partitionOffsets: [...offsets].map(([partition, offset]) => ({ partition, offset: BigInt(offset) })) }]
    }),
    deleteOffsets: (group, name, partitionIndexes) => admin.deleteConsumerGroupOffsets({ groupId: group, topics: [{ name, partitionIndexes }] }),
    deleteGroup: group => admin.deleteGroups({ groups: [group] })
  }
  return { join, tools }
}

export async function runPlatformaticGroups (checks, bootstrap) {
  const { join, tools } = groupsOf(bootstrap)
  await runGroups(checks, 'platformatic', join, tools, { file, bootstrap, hasStatic: true })
}

if (process.argv[1] === file) {
  const { bootstrap, ...asked } = memberArguments()
  await groupsOf(bootstrap).join(asked)
}
