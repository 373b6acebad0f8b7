// A headless Chromium for TAP tests (Browser.pm): a JSON command per line in, a JSON answer per line out. It speaks the
// DevTools protocol over a pipe, so that no port is open and no package needed.
//   {"go": URL}  {"click": SELECTOR}  {"value": EXPRESSION}  {"wait": EXPRESSION}: its first true value  {"picture": FILE}
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const [program, directory, uid, gid] = process.argv.slice(2);
const patience = 30000;
const as = uid ? { uid: Number(uid), gid: Number(gid) } : {};
const flags = ['--headless', '--remote-debugging-pipe', `--user-data-dir=${directory}`, '--no-first-run', '--disable-gpu', '--disable-extensions',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-proxy-server', '--disable-dev-shm-usage',
  '--window-size=900,900'];

let browser;
let number = 0;
let session;
const waiting = new Map();

function start(...more) {
  browser = spawn(program, [...flags, ...more, 'about:blank'],
    { ...as, env: { PATH: process.env.PATH, HOME: directory }, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const [, , , out, back] = browser.stdio;
  out.on('error', () => {});
  back.on('error', () => {});
  let rest = '';
  back.setEncoding('utf8');
  back.on('data', (text) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop();
    for (const message of messages.map((one) => JSON.parse(one))) {
      const done = waiting.get(message.id);
      waiting.delete(message.id);
      done?.(message);
    }
  });
  return new Promise((done) => { browser.on('exit', () => done('ended')).on('error', () => done('ended')); });
}

async function send(method, params = {}) {
  number += 1;
  const id = number;
  const answer = new Promise((done) => { waiting.set(id, done); });
  browser.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
  const { error, result } = await answer;
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

async function evaluate(expression) {
  const { result, exceptionDetails: wrong } = await send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
  if (wrong) throw new Error(`${expression}: ${wrong.exception?.description ?? wrong.text}`);
  return result.value;
}

// A page that is just being left has nothing to evaluate in: that is a value which is not there yet.
async function until(expression) {
  for (const end = Date.now() + patience; Date.now() < end; await pause(15)) {
    const value = await evaluate(expression).catch(() => undefined);
    if (value) return value;
  }
  const page = await evaluate('location.origin + location.pathname + " " + document.body.innerText').catch(String);
  throw new Error(`never true: ${expression}; the page is ${page}`);
}

const commands = {
  go: (url) => send('Page.navigate', { url }).then(() => true),
  value: evaluate,
  wait: until,
  // as a mouse does
  async click(selector) {
    const element = `document.querySelector(${JSON.stringify(selector)})`;
    await until(`document.readyState === 'complete' && !!${element}`);
    const { x, y } = await evaluate(`(() => { const it = ${element}; it.scrollIntoView({ block: 'center' });
      const box = it.getBoundingClientRect(); return { x: box.x + box.width / 2, y: box.y + box.height / 2 }; })()`);
    for (const type of ['mousePressed', 'mouseReleased']) await send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
    return true;
  },
  async picture(file) {
    const height = await evaluate('Math.ceil(document.documentElement.getBoundingClientRect().height)');
    await send('Emulation.setDeviceMetricsOverride', { width: 860, height, deviceScaleFactor: 1, mobile: false });
    const { data } = await send('Page.captureScreenshot', { format: 'png' });
    await send('Emulation.clearDeviceMetricsOverride');
    writeFileSync(file, Buffer.from(data, 'base64'));
    return true;
  },
};

let ended = start();
let first = await Promise.race([ended, send('Target.getTargets')]);
if (first === 'ended') {
  // There are machines on which nobody can have a sandbox; the pages are the tests' own.
  ended = start('--no-sandbox');
  first = await Promise.race([ended, send('Target.getTargets')]);
}
if (first === 'ended') {
  console.log(JSON.stringify({ error: `${program} does not start` }));
  process.exit(1);
}
ended.then(() => { console.log(JSON.stringify({ error: 'the browser ended' })); });
const { targetId } = first.targetInfos.find(({ type }) => type === 'page') ?? await send('Target.createTarget', { url: 'about:blank' });
session = (await send('Target.attachToTarget', { targetId, flatten: true })).sessionId;
await send('Page.enable');
for await (const line of createInterface({ input: process.stdin })) {
  const [[name, argument]] = Object.entries(JSON.parse(line));
  const answer = await commands[name](argument).then((value) => ({ value }), (error) => ({ error: error.message }));
  console.log(JSON.stringify(answer));
}
session = undefined;
send('Browser.close').catch(() => {});
await Promise.race([ended, pause(5000, undefined, { ref: false })]);
browser.kill('SIGKILL');
process.exit(0);
