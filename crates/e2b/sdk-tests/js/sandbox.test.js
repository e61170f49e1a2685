// What E2B's JavaScript SDK does with this server: commands, terminals, files, watching, and the life of sandboxes.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import {
  AuthenticationError,
  CommandExitError,
  FileNotFoundError,
  FilesystemEventType,
  InvalidArgumentError,
  Sandbox,
  SandboxNotFoundError,
  TimeoutError,
} from 'e2b'

describe('one sandbox', () => {
  let sandbox
  before(async () => {
    sandbox = await Sandbox.create({ timeoutMs: 120_000, envs: { SHARED: 'yes' } })
  })
  after(() => sandbox.kill())

  test('output comes while a command runs, and its code at the end', async () => {
    const pieces = []
    const done = await sandbox.commands.run('echo one; sleep 0.1; echo two; echo $SHARED $OWN', {
      envs: { OWN: 'too' },
      onStdout: (piece) => void pieces.push(piece),
    })
    assert.equal(done.stdout, 'one\ntwo\nyes too\n')
    assert.equal(pieces.join(''), done.stdout)
    assert.ok(pieces.length >= 2)
    const failed = await sandbox.commands.run('echo why >&2; exit 4').catch((error) => error)
    assert.ok(failed instanceof CommandExitError)
    assert.deepEqual([failed.exitCode, failed.stderr], [4, 'why\n'])
  })

  test('a background command takes input, is found again, and is killed', async () => {
    const command = await sandbox.commands.run('cat', { background: true, stdin: true })
    await sandbox.commands.sendStdin(command.pid, 'hello\n')
    await sandbox.commands.closeStdin(command.pid)
    assert.equal((await command.wait()).stdout, 'hello\n')
    const sleeping = await sandbox.commands.run('sleep 60', { background: true })
    const listed = await sandbox.commands.list()
    assert.ok(listed.some((process) => process.pid === sleeping.pid))
    assert.equal((await sandbox.commands.connect(sleeping.pid)).pid, sleeping.pid)
    assert.equal(await sleeping.kill(), true)
    await assert.rejects(sleeping.wait(), CommandExitError)
    assert.equal(await sandbox.commands.kill(sleeping.pid), false)
  })

  test('a command ends with its time', async () => {
    await assert.rejects(sandbox.commands.run('sleep 60', { timeoutMs: 500 }), TimeoutError)
  })

  test('a terminal has its size', async () => {
    let shown = ''
    const decoder = new TextDecoder()
    const terminal = await sandbox.pty.create({
      cols: 91,
      rows: 17,
      onData: (bytes) => {
        shown += decoder.decode(bytes, { stream: true })
      },
    })
    await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode('stty size\nexit\n'))
    assert.equal((await terminal.wait()).exitCode, 0)
    assert.match(shown, /17 91/)
  })

  test('files come back as they were, in every form', async () => {
    const bytes = new Uint8Array(3_000_000).map((_, at) => at % 251)
    await sandbox.files.write('bytes 日本', bytes.buffer)
    assert.deepEqual(await sandbox.files.read('bytes 日本', { format: 'bytes' }), bytes)
    const stream = new Blob(['streamed ', 'in pieces']).stream()
    await sandbox.files.write('streamed', stream)
    assert.equal(await sandbox.files.read('streamed'), 'streamed in pieces')
    await sandbox.files.write('packed', 'x'.repeat(100_000), { gzip: true })
    assert.equal(await sandbox.files.read('packed', { gzip: true }), 'x'.repeat(100_000))
    const many = [1, 2, 3].map((number) => ({ path: `many/${number} ä`, data: `${number}` }))
    const written = await sandbox.files.write(many)
    assert.deepEqual(written.map((info) => info.path), many.map((file) => `/home/user/${file.path}`))
    assert.deepEqual((await sandbox.files.list('many')).map((entry) => entry.name), ['1 ä', '2 ä', '3 ä'])
  })

  test('metadata lies beside a file', async () => {
    await sandbox.files.write('kept', 'x', { metadata: { author: 'mira' } })
    assert.deepEqual((await sandbox.files.getInfo('kept')).metadata, { author: 'mira' })
  })

  test('a watched folder tells what happens in it', async () => {
    await sandbox.files.makeDir('watched/below')
    let tell
    const told = new Promise((resolve) => (tell = resolve))
    const handle = await sandbox.files.watchDir(
      'watched',
      (event) => {
        if (event.type === FilesystemEventType.WRITE && event.name === 'below/file') tell(event)
      },
      { recursive: true, includeEntry: true },
    )
    await sandbox.files.write('watched/below/file', 'x')
    assert.equal((await told).entry.path, '/home/user/watched/below/file')
    await handle.stop()
  })

  test('a signed link carries a file in and out', async () => {
    const form = new FormData()
    form.append('file', 'uploaded')
    const sent = await fetch(await sandbox.uploadUrl('up.txt'), { method: 'POST', body: form })
    assert.deepEqual(await sent.json(), [{ name: 'up.txt', path: '/home/user/up.txt', type: 'file' }])
    const link = await sandbox.downloadUrl('up.txt', { useSignatureExpiration: 60 })
    assert.equal(await (await fetch(link)).text(), 'uploaded')
    assert.equal((await fetch(link.replace('up.txt', 'kept'))).status, 401)
  })

  test('errors are the SDK’s own', async () => {
    await assert.rejects(sandbox.files.read('missing'), FileNotFoundError)
    await assert.rejects(sandbox.files.watchDir('missing', () => {}), FileNotFoundError)
    await assert.rejects(sandbox.files.read('/home/user'), InvalidArgumentError)
    await assert.rejects(sandbox.commands.run('true', { user: 'stranger' }), AuthenticationError)
    await assert.rejects(Sandbox.create({ apiKey: `e2b_${'0'.repeat(40)}` }), AuthenticationError)
  })
})

test('a sandbox is listed, paused, resumed, forked and killed', async () => {
  const metadata = { mark: randomUUID() }
  const sandbox = await Sandbox.create({ timeoutMs: 60_000, metadata })
  const listed = async (state) => {
    const page = await Sandbox.list({ query: { metadata, state } }).nextItems()
    return page.map((info) => info.sandboxId)
  }
  try {
    assert.deepEqual(await listed(['running']), [sandbox.sandboxId])
    await sandbox.files.write('state', 'kept')
    assert.equal(await sandbox.pause(), true)
    assert.equal(await sandbox.isRunning(), false)
    assert.deepEqual([await listed(['running']), await listed(['paused'])], [[], [sandbox.sandboxId]])
    const again = await Sandbox.connect(sandbox.sandboxId)
    assert.equal(await again.files.read('state'), 'kept')
    assert.ok((await again.getMetrics()).length > 0)
    const [fork] = await sandbox.fork({ timeoutMs: 60_000 })
    assert.equal(await fork.files.read('state'), 'kept')
    await fork.kill()
    const command = await sandbox.commands.run('sleep 60', { background: true })
    assert.equal(await sandbox.kill(), true)
    await assert.rejects(command.wait(), /killed or reached its end of life/)
    await assert.rejects(Sandbox.connect(sandbox.sandboxId), SandboxNotFoundError)
  } finally {
    await sandbox.kill()
  }
})
