// A node of IPFS (Helia) for tests. It takes one command per line on stdin, answers each with one
// line on stdout, and ends when stdin ends.

import { noise } from '@chainsafe/libp2p-noise'
import { quic } from '@chainsafe/libp2p-quic'
import { yamux } from '@chainsafe/libp2p-yamux'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

const CHUNK = 1 << 20
const PATIENCE = 90_000

const transports = { tcp: tcp(), quic: quic() }
const listen = { tcp: '/ip4/127.0.0.1/tcp/0', quic: '/ip4/127.0.0.1/udp/0/quic-v1' }
const transport = process.argv[2]

// Never the plain `createHelia`: it starts bootstrap, DHT and UPnP.
const helia = withBitswap(withLibp2pLight(createHeliaLight(), {
  addresses: { listen: [listen[transport]] },
  transports: [transports[transport]],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() }
}))
// Its own way of asking for a block goes on looking for peers when all have said no.
let bitswap
const add = helia.addBlockBroker.bind(helia)
helia.addBlockBroker = (broker) => {
  bitswap = broker.bitswap
  add(broker)
}
await helia.start()
const fs = unixfs(helia)

// The profile `unixfs-v1-2025`, which is the default.
const content = {
  // The same bytes as in the test.
  * bytes (size, seed) {
    for (let at = 0; at < size; at += CHUNK) {
      const chunk = new Uint8Array(Math.min(CHUNK, size - at))
      const mark = (at / CHUNK) * 37 ^ seed
      for (let j = 0; j < chunk.length; j++) {
        chunk[j] = j ^ (j >>> 8) ^ mark
      }
      yield chunk
    }
  },
  async * names (count) {
    for (let n = 0; n < count; n++) {
      yield { path: `a file with a long name, number ${n}`, content: [Buffer.from(`${n}`)] }
    }
  }
}

const signal = () => AbortSignal.timeout(PATIENCE)

async function walk (cid, path, found) {
  const stat = await fs.stat(cid, { signal: signal() })
  if (stat.type === 'directory') {
    for await (const entry of fs.ls(cid, { signal: signal() })) {
      await walk(entry.cid, `${path}/${entry.name}`, found)
    }
    return found
  }
  const hash = createHash('sha256')
  for await (const part of fs.cat(cid, { signal: signal() })) {
    hash.update(part)
  }
  found[path] = hash.digest('hex')
  return found
}

const commands = {
  async dial ({ address }) {
    await helia.libp2p.dial(multiaddr(address), { signal: signal() })
  },
  async hangUp () {
    await Promise.all(helia.libp2p.getConnections().map(async connection => connection.close()))
  },
  async add ({ size, seed }) {
    return (await fs.addByteStream(content.bytes(size, seed))).toString()
  },
  async tree () {
    let root
    const files = [
      { path: 'tree/a.txt', content: [Buffer.from('a')] },
      { path: 'tree/empty', content: [] },
      { path: 'tree/deep/er/large', content: content.bytes(3 * CHUNK + 1, 3) }
    ]
    for await (const entry of fs.addAll(files)) {
      root = entry.cid
    }
    return root.toString()
  },
  async hamt ({ count }) {
    let root
    for await (const entry of fs.addAll(content.names(count), { wrapWithDirectory: true })) {
      root = entry.cid
    }
    return root.toString()
  },
  // Everything below a root by its path, with the digest of its content.
  async read ({ cid }) {
    return walk(CID.parse(cid), '', {})
  },
  // Asks one peer for one block, and says what came of it.
  async ask ({ cid, address }) {
    const wanted = CID.parse(cid)
    const { remotePeer } = await helia.libp2p.dial(multiaddr(address), { signal: signal() })
    const patience = signal()
    const answer = new Promise((resolve, reject) => {
      patience.addEventListener('abort', () => { reject(new Error('no answer')) })
      bitswap.wantList.addEventListener('presence', ({ detail }) => {
        if (remotePeer.equals(detail.sender) && wanted.equals(detail.cid)) {
          resolve(detail)
        }
      })
    })
    const asked = bitswap.wantList.wantSessionBlock(wanted, remotePeer, { signal: patience })
    const { block } = await Promise.race([answer, asked])
    return block == null ? { missing: true } : { size: block.length }
  },
  // Keeps other bytes than the name says.
  async lie ({ cid }) {
    await helia.blockstore.put(CID.parse(cid), Buffer.from('not what the name says'))
  },
  async connections () {
    return helia.libp2p.getConnections().length
  }
}

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
say({ ok: helia.libp2p.getMultiaddrs().map(String) })
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line)
  try {
    say({ ok: await commands[command](rest) ?? null })
  } catch (error) {
    say({ failed: `${error.name}: ${error.message}` })
  }
}
process.exit(0)
