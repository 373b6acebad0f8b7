// multipart/form-data, as far as the deployment of a function needs it
import { refuse } from './errors.mjs';

export function parseMultipart(bytes, header) {
  const boundary = /boundary="?([^";]+)"?/i.exec(header)?.[1] ?? refuse(400, 'Multipart: Boundary not found');
  const delimiter = Buffer.from(`--${boundary}`);
  const parts = [];
  let at = bytes.indexOf(delimiter);
  while (at >= 0) {
    const from = at + delimiter.length;
    if (bytes.subarray(from, from + 2).toString() === '--') break;
    const next = bytes.indexOf(delimiter, from);
    if (next < 0) refuse(400, 'Unexpected end of form');
    const part = bytes.subarray(from + 2, next - 2);
    const blank = part.indexOf('\r\n\r\n');
    const head = part.subarray(0, blank).toString('utf8');
    parts.push({
      name: /[^e]name="([^"]*)"/i.exec(head)?.[1],
      filename: /filename="([^"]*)"/i.exec(head)?.[1],
      content_type: /content-type: *(\S+)/i.exec(head)?.[1] ?? null,
      data: part.subarray(blank + 4),
    });
    at = next;
  }
  const value = {};
  for (const part of parts) {
    if (part.name === 'file') (value.file ??= []).push(part.data.toString('latin1'));
    else if (part.name === 'metadata') {
      try {
        value.metadata = JSON.parse(part.data.toString('utf8'));
      } catch {
        refuse(400, 'metadata: Invalid JSON');
      }
    } else value[part.name ?? ''] = part.data.toString('utf8');
  }
  return { value, parts };
}

export function writeMultipart(parts, boundary) {
  const chunks = parts.map(({ name, filename, content_type, data }) => Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename ? `; filename="${filename}"` : ''}\r\n`
      + `Content-Type: ${content_type}\r\n\r\n`), Buffer.from(data), Buffer.from('\r\n')]));
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
}
