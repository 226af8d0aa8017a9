'use strict';
/*
 * A small application as people run behind a proxy: pages, uploads, streams,
 * Server-Sent Events and WebSocket, with node's standard library only.
 *
 *   node app.js [PORT | SOCKET-PATH] [HOST]
 *
 * Prints "listening on ADDRESS" when it is ready; port 0 is any free one. Every
 * path below answers with `X-App: PID`, so that a test sees which of several
 * processes answered.
 */
const crypto = require('node:crypto');
const http = require('node:http');

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, 1.3
const connections = { opened: 0 };

function send(res, status, type, body) {
	res.writeHead(status, {
		'Content-Type': type,
		'Content-Length': Buffer.byteLength(body),
	});
	res.end(body);
}

function sendJson(res, value) {
	send(res, 200, 'application/json', JSON.stringify(value));
}

function readBody(req, done) {
	const parts = [];

	req.on('data', (part) => parts.push(part));
	req.on('end', () => done(Buffer.concat(parts)));
}

const routes = {
	'/': (req, res) => send(res, 200, 'text/html',
		'<!doctype html><title>app</title><h1>It works</h1>\n'),

	// What arrived: for tests of the request that the proxy writes.
	'/request': (req, res) => readBody(req, (body) => sendJson(res, {
		method: req.method,
		url: req.url,
		version: req.httpVersion,
		headers: req.headers,
		raw: req.rawHeaders,
		trailers: req.trailers,
		length: body.length,
		sha256: crypto.createHash('sha256').update(body).digest('hex'),
	})),

	// The connection's number: two requests over one connection share it.
	'/connection': (req, res) => sendJson(res, {
		number: req.socket.number, opened: connections.opened,
	}),

	// Full duplex: the answer begins with the first byte of the body.
	'/echo': (req, res) => {
		res.writeHead(200, { 'Content-Type': 'application/octet-stream' });
		req.pipe(res);
	},

	// /bytes?n=N: N bytes, with Content-Length unless &chunked.
	'/bytes': (req, res, query) => {
		const total = Number(query.get('n') || 0);
		const piece = Buffer.alloc(65536, 'x');
		let left = total;

		if (!query.has('chunked'))
			res.setHeader('Content-Length', total);
		const more = () => {
			while (left > 0) {
				const n = Math.min(left, piece.length);

				left -= n;
				if (!res.write(piece.subarray(0, n)) && left > 0) {
					res.once('drain', more);
					return;
				}
			}
			res.end();
		};
		more();
	},

	// /slow?ms=N: answers after N milliseconds.
	'/slow': (req, res, query) => {
		setTimeout(() => send(res, 200, 'text/plain', 'late\n'),
			Number(query.get('ms') || 100));
	},

	// /status?code=N
	'/status': (req, res, query) => {
		const code = Number(query.get('code') || 200);

		if (code === 204 || code === 304) {
			res.writeHead(code);
			res.end();
			return;
		}
		send(res, code, 'text/plain', `${code}\n`);
	},

	// /events?n=N&ms=M: Server-Sent Events, one every M milliseconds.
	'/events': (req, res, query) => {
		const count = Number(query.get('n') || 3);
		const ms = Number(query.get('ms') || 50);
		let sent = 0;

		res.writeHead(200, {
			'Content-Type': 'text/event-stream',
			'Cache-Control': 'no-store',
		});
		const timer = setInterval(() => {
			sent++;
			res.write(`id: ${sent}\ndata: event ${sent}\n\n`);
			if (sent === count) {
				clearInterval(timer);
				res.end();
			}
		}, ms);
		req.on('close', () => clearInterval(timer));
	},

	// 103 before the answer.
	'/hints': (req, res) => {
		res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
		setTimeout(() => send(res, 200, 'text/plain', 'hinted\n'), 20);
	},

	'/trailers': (req, res) => {
		res.writeHead(200, { Trailer: 'X-Checksum' });
		res.write('with trailers\n');
		res.addTrailers({ 'X-Checksum': 'abc' });
		res.end();
	},

	// Half of what was promised, then the end of the connection.
	'/cut': (req, res) => {
		res.writeHead(200, { 'Content-Length': 1000 });
		res.write('x'.repeat(500), () => res.socket.destroy());
	},

	// Refuses before the body has arrived, and closes.
	'/refuse': (req, res) => {
		res.shouldKeepAlive = false;
		send(res, 413, 'text/plain', 'too much\n');
	},

	'/hang': () => {},
};

function onRequest(req, res) {
	const url = new URL(req.url, 'http://app');
	const route = routes[url.pathname];

	res.setHeader('X-App', String(process.pid));
	if (route === undefined)
		send(res, 404, 'text/plain', 'no such page\n');
	else
		route(req, res, url.searchParams);
}

/* ---- WebSocket: echoes text and binary messages ---------------------------- */

function frame(opcode, payload) {
	const head = payload.length < 126 ?
		Buffer.from([0x80 | opcode, payload.length]) :
		payload.length < 65536 ?
			Buffer.from([0x80 | opcode, 126, payload.length >> 8,
				payload.length & 255]) :
			Buffer.alloc(10);

	if (head.length === 10) {
		head[0] = 0x80 | opcode;
		head[1] = 127;
		head.writeBigUInt64BE(BigInt(payload.length), 2);
	}
	return Buffer.concat([head, payload]);
}

/* Takes whole frames off BUFFER; returns what is left. */
function takeFrames(buffer, onFrame) {
	for (;;) {
		if (buffer.length < 2)
			return buffer;
		let length = buffer[1] & 127;
		let at = 2;

		if (length === 126) {
			if (buffer.length < 4)
				return buffer;
			length = buffer.readUInt16BE(2);
			at = 4;
		} else if (length === 127) {
			if (buffer.length < 10)
				return buffer;
			length = Number(buffer.readBigUInt64BE(2));
			at = 10;
		}
		if (buffer.length < at + 4 + length)
			return buffer;
		const mask = buffer.subarray(at, at + 4);
		const payload = Buffer.from(buffer.subarray(at + 4, at + 4 + length));

		for (let i = 0; i < length; i++)
			payload[i] ^= mask[i & 3];
		onFrame(buffer[0] & 15, payload);
		buffer = buffer.subarray(at + 4 + length);
	}
}

function onUpgrade(req, socket, head) {
	const key = req.headers['sec-websocket-key'];

	if (!req.url.startsWith('/ws') || key === undefined) {
		socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n' +
			'Connection: close\r\n\r\n');
		return;
	}
	const accept = crypto.createHash('sha1').update(key + WEBSOCKET_GUID)
		.digest('base64');
	let buffer = head;

	socket.write('HTTP/1.1 101 Switching Protocols\r\n' +
		'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
		`Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
	const onFrame = (opcode, payload) => {
		if (opcode === 8) {
			socket.end(frame(8, payload));
		} else if (opcode === 9) {
			socket.write(frame(10, payload));
		} else if (payload.toString() === 'hello') {
			// The server speaks twice without being asked twice.
			socket.write(frame(1, Buffer.from('hello')));
			socket.write(frame(1, Buffer.from('again')));
		} else {
			socket.write(frame(opcode, payload));
		}
	};
	socket.on('error', () => socket.destroy());
	socket.on('data', (data) => {
		buffer = takeFrames(Buffer.concat([buffer, data]), onFrame);
	});
	buffer = takeFrames(buffer, onFrame);
}

const server = http.createServer(onRequest);

server.on('upgrade', onUpgrade);
server.on('connection', (socket) => {
	connections.opened++;
	socket.number = connections.opened;
});

const where = process.argv[2] || '0';
const onListening = () => {
	const address = server.address();

	console.log(`listening on ${typeof address === 'string' ? address :
		`${address.address}:${address.port}`}`);
};

if (where.startsWith('/'))
	server.listen(where, onListening);
else
	server.listen(Number(where), process.argv[3] || '127.0.0.1', onListening);

process.on('SIGTERM', () => process.exit(0));
