/** The little of RFC 6455 that a development server needs: text frames, ping and close. */
import { createHash } from 'node:crypto';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function frame(text) {
  const body = Buffer.from(text);
  if (body.length < 126) return Buffer.concat([Buffer.from([0x81, body.length]), body]);
  const small = body.length < 65_536;
  const head = Buffer.alloc(small ? 4 : 10);
  head[0] = 0x81;
  head[1] = small ? 126 : 127;
  if (small) head.writeUInt16BE(body.length, 2);
  else head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, body]);
}

/** Takes over an upgraded socket; calls `onText` for each message. */
export function accept(request, wire, onText, onClose) {
  const key = createHash('sha1')
    .update(request.headers['sec-websocket-key'] + MAGIC)
    .digest('base64');
  wire.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
  );
  let rest = Buffer.alloc(0);
  wire.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      if (rest.length < 6) return;
      let length = rest[1] & 127;
      let at = 2;
      if (length === 126) {
        length = rest.readUInt16BE(2);
        at = 4;
      }
      if (rest.length < at + 4 + length) return;
      const mask = rest.subarray(at, at + 4);
      const body = Buffer.from(
        rest.subarray(at + 4, at + 4 + length).map((byte, index) => byte ^ mask[index % 4]),
      );
      const opcode = rest[0] & 15;
      rest = rest.subarray(at + 4 + length);
      if (opcode === 8) wire.end();
      else if (opcode === 1) onText(body.toString());
    }
  });
  wire.on('close', onClose);
  wire.on('error', onClose);
  return (message) => wire.write(frame(JSON.stringify(message)));
}
