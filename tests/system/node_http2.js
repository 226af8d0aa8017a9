'use strict';
/*
 * Node's own client of HTTP/2, for test_node_http2.py.
 *
 *   node node_http2.js SCENARIO URL
 *
 * Prints what it saw as one line of JSON; before that "ready", where the test
 * has something to do meanwhile. What goes wrong unasked ends it with status 1.
 */

const http2 = require('node:http2');
const crypto = require('node:crypto');

const MIB = 1 << 20;
const [scenario, url] = process.argv.slice(2);
const session = http2.connect(url, { rejectUnauthorized: false });
const seen = { goaway: [], settings: 0 };

session.on('goaway', (code) => seen.goaway.push(code));
session.on('remoteSettings', () => seen.settings++);

function sha(data) {
  return crypto.createHash('sha256').update(data).digest('hex');
}

/* The answer when it is over, however it ends. */
function answer(req) {
  const a = { status: 0, bytes: 0, trailers: {}, error: null };
  const hash = crypto.createHash('sha256');
  let text = '';

  return new Promise((resolve) => {
    req.on('response', (h) => { a.status = h[':status']; a.head = h; });
    req.on('data', (d) => {
      a.bytes += d.length;
      hash.update(d);
      if (text.length < 1000) text += d.toString('latin1');
    });
    req.on('trailers', (t) => { a.trailers = { ...t }; });
    req.on('aborted', () => { a.aborted = true; });
    req.on('error', (e) => { a.error = e.message; });
    req.on('close', () => {
      a.code = req.rstCode;
      a.sha = hash.digest('hex');
      a.text = text.slice(0, 1000);
      delete a.head;
      resolve(a);
    });
  });
}

function get(path, headers = {}, options = {}) {
  return session.request({ ':path': path, ...headers }, options);
}

function post(path, data, headers = {}) {
  const req = get(path, { ':method': 'POST', ...headers });
  req.end(data);
  return req;
}

const scenarios = {
  /* More than the server lets run at a time: the rest waits for its turn. */
  async streams() {
    const n = 500;
    const all = await Promise.all(Array.from({ length: n }, (_, i) =>
      answer(get(`/number/${i}`))));
    return {
      right: all.filter((a, i) => a.status === 200 &&
        a.text === `number ${i}`).length,
      max: session.remoteSettings.maxConcurrentStreams,
    };
  },

  async download() {
    return answer(get('/files/large'));
  },

  async upload() {
    const data = crypto.randomBytes(4 * MIB);
    const a = await answer(post('/api/hash', data));
    return { right: a.text === sha(data), ...a };
  },

  /* Both at once and several of each: windows must not hold each other up. */
  async both() {
    const data = crypto.randomBytes(3 * MIB);
    const ups = [1, 2, 3].map(() => answer(post('/api/hash', data)));
    const downs = [1, 2, 3].map(() => answer(get('/api/large')));
    const up = await Promise.all(ups), down = await Promise.all(downs);
    return {
      right: up.every((a) => a.text === sha(data)),
      shas: down.map((a) => a.sha),
    };
  },

  /* A reader that pauses, beside one that does not. */
  async slow_reader() {
    const slow = get('/files/large');
    const first = answer(slow);
    slow.pause();
    const others = [];
    for (let i = 0; i < 20; i++) others.push(await answer(get('/number/1')));
    slow.resume();
    return { others: others.every((a) => a.status === 200), ...await first };
  },

  async reset() {
    const cut = await answer(get('/api/cut'));
    const after = await answer(get('/number/7'));
    return { cut, after };
  },

  async cancel() {
    const req = get('/files/large');
    const gone = answer(req);
    req.once('data', () => req.close(http2.constants.NGHTTP2_CANCEL));
    const a = await gone;
    return { code: a.code, after: await answer(get('/number/7')) };
  },

  async trailers() {
    const req = get('/api/hash', { ':method': 'POST', trailer: 'x-sum' },
      { waitForTrailers: true });
    req.on('wantTrailers', () => req.sendTrailers({ 'x-sum': '3' }));
    let said;
    req.on('response', (h) => { said = h['x-trailers']; });
    const up = answer(req);
    req.end('abc');
    await up;
    const down = await answer(get('/api/chunked', { te: 'trailers' }));
    return { said, down };
  },

  async hints() {
    const hints = [];
    const req = get('/api/hints');
    req.on('headers', (h) => hints.push([h[':status'], h.link]));
    return { hints, ...await answer(req) };
  },

  async ping() {
    return new Promise((resolve) => session.ping(Buffer.from('isalive?'),
      (e, ms, data) => resolve({ error: e && e.message, ms,
        data: data.toString() })));
  },

  /* The server is told to reload while an answer is on its way. */
  async goaway() {
    const req = get('/api/slow');
    const late = answer(req);
    req.once('data', () => console.log('ready'));
    const a = await late;
    await new Promise((resolve) => session.closed || session.destroyed ?
      resolve() : session.on('close', resolve));
    return { ...a, ...seen };
  },
};

session.on('error', (e) => { console.error(e); process.exit(1); });
session.on('connect', async () => {
  const result = await scenarios[scenario]();
  console.log(JSON.stringify(result));
  session.destroy();
});
