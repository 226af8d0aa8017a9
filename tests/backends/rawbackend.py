"""A backend that does exactly what a test says, byte for byte.

    with RawBackend([Reply(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")]) as b:
        ... a request through the proxy to 127.0.0.1:b.port ...
        assert b.requests[0].head.startswith(b"GET / HTTP/1.1\\r\\n")

A script is a list of replies, one per request, in the order in which requests
arrive on whatever connection; the last one is repeated. What arrives is
recorded: b.requests (head, body, connection number) and b.received (raw bytes
per connection). It runs in a thread with an event loop of its own, so a test
may block as it likes.
"""

import asyncio
import dataclasses
import socket
import struct
import threading
import time

HEAD_END = b"\r\n\r\n"
LIMIT = 64 << 20  # what a connection may send before we give up on it


@dataclasses.dataclass
class Reply:
    """Answers one request.

    `data` is bytes, or a list of bytes and of numbers: a number is a pause in
    seconds. `when` says what must have arrived: "head", "body" (the whole
    request), or "connect" (nothing). After it the connection stays open, or
    with `close` ends by "fin", "reset" (RST) or "hang" (open, never read).
    """

    data: object = b""
    when: str = "body"
    close: str = ""


@dataclasses.dataclass
class Request:
    head: bytes
    body: bytes
    connection: int

    @property
    def line(self):
        return self.head.split(b"\r\n", 1)[0]

    def fields(self, name):
        """The values of all fields of that name."""
        want = name.lower().encode()
        lines = self.head.split(b"\r\n")[1:]
        pairs = (line.split(b":", 1) for line in lines if b":" in line)
        return [v.strip() for k, v in pairs if k.strip().lower() == want]

    def field(self, name):
        values = self.fields(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None


class Connection:
    def __init__(self, reader, writer, number):
        self.reader, self.writer, self.number = reader, writer, number
        self.received = bytearray()
        self.at = 0  # what belongs to requests already

    async def more(self):
        data = await self.reader.read(65536)
        if not data or len(self.received) > LIMIT:
            raise EOFError
        self.received += data

    async def head(self):
        while (end := self.received.find(HEAD_END, self.at)) < 0:
            await self.more()
        head = bytes(self.received[self.at:end + 4])
        self.at = end + 4
        return head

    async def exactly(self, n):
        while len(self.received) < self.at + n:
            await self.more()
        data = bytes(self.received[self.at:self.at + n])
        self.at += n
        return data

    async def line(self):
        while (end := self.received.find(b"\r\n", self.at)) < 0:
            await self.more()
        data = bytes(self.received[self.at:end])
        self.at = end + 2
        return data

    async def body(self, request):
        if request.field("transfer-encoding") == b"chunked":
            parts = []
            while size := int((await self.line()).split(b";")[0], 16):
                parts.append(await self.exactly(size))
                assert await self.line() == b""
            while await self.line():  # trailers
                pass
            return b"".join(parts)
        return await self.exactly(int(request.field("content-length") or 0))

    async def drain(self):
        """Reads what comes until the peer ends it."""
        while True:
            await self.more()


class RawBackend:
    def __init__(self, script=(), host="127.0.0.1", port=0, path=None):
        self.script = list(script)
        self.requests, self.connections = [], []
        self.host, self.port, self.path = host, port, path
        self.errors = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._tasks = set()

    # ---- for the test --------------------------------------------------

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10), "the backend did not start"
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def received(self):
        return [bytes(c.received) for c in self.connections]

    def wait_for(self, condition, seconds=5.0):
        """Waits until condition(self) holds; says whether it does."""
        end = time.monotonic() + seconds
        while not condition(self) and time.monotonic() < end:
            time.sleep(0.005)
        return bool(condition(self))

    def close_connections(self, how="fin"):
        """Ends every open connection from outside of the script."""
        done = threading.Event()

        def close():
            for c in self.connections:
                self._end(c, how)
            done.set()

        self._loop.call_soon_threadsafe(close)
        assert done.wait(5)

    # ---- the loop's side -------------------------------------------------

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._stop = asyncio.Event()
        if self.path is not None:
            server = await asyncio.start_unix_server(self._connected, self.path)
        else:
            server = await asyncio.start_server(
                self._connected, self.host, self.port, backlog=1024)
            self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for c in self.connections:
            self._end(c, "reset")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader, writer):
        c = Connection(reader, writer, len(self.connections))
        self.connections.append(c)
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._converse(c)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        except Exception as e:  # a broken request: the test wants to know
            self.errors.append(e)
        finally:
            self._tasks.discard(task)
            writer.close()

    def _next(self):
        if len(self.script) > 1:
            return self.script.pop(0)
        return self.script[0] if self.script else Reply()

    async def _converse(self, c):
        while True:
            reply = self._peek_connect()
            if reply is None:
                head = await c.head()
                reply = self._next()
                request = Request(head, b"", c.number)
                self.requests.append(request)
                if reply.when == "body":
                    request.body = await c.body(request)
            if not await self._play(c, reply):
                return

    def _peek_connect(self):
        if self.script and self.script[0].when == "connect":
            return self._next()
        return None

    async def _play(self, c, reply):
        data = reply.data if isinstance(reply.data, (list, tuple)) else [reply.data]
        for part in data:
            if isinstance(part, (int, float)):
                await asyncio.sleep(part)
                continue
            c.writer.write(part)
            await c.writer.drain()
        if reply.close == "hang":
            await asyncio.sleep(3600)
        if reply.close:
            self._end(c, reply.close)
            return False
        if reply.when != "body":
            await c.drain()
        return True

    @staticmethod
    def _end(c, how):
        sock = c.writer.get_extra_info("socket")
        if how == "reset" and sock is not None and sock.fileno() >= 0:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
            except OSError:
                pass
            c.writer.transport.abort()
        else:
            c.writer.close()


def ok(body=b"ok", fields=b""):
    """A plain complete answer."""
    return (b"HTTP/1.1 200 OK\r\n" + fields +
            b"Content-Length: %d\r\n\r\n" % len(body) + body)
