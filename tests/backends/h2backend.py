"""An upstream that speaks HTTP/2, and as badly as a test wants it to.

    with H2Backend(handler, port=port) as b:
        ...
    b.connections[0].requests

HANDLER is called with each request when it is complete, in the thread of its
connection; what it does not answer stays open. Events of other kinds go to
ON_EVENT(connection, event) if that is given; true: it has been dealt with."""

import socket
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings


class Request:
    def __init__(self, connection, stream, fields):
        self.connection, self.stream = connection, stream
        self.list = [(n.decode(), v.decode()) for n, v in fields]
        self.fields = dict(self.list)
        # Names of fields that are never to be indexed (RFC 7541).
        self.secret = {f[0].decode() for f in fields if not f.indexable}
        self.body, self.trailers, self.is_complete = b"", {}, False

    def head(self, status=200, end=False, **fields):
        self.connection.send_headers(self.stream, [
            (":status", str(status)),
            *[(n.replace("_", "-"), v) for n, v in fields.items()]], end)

    def respond(self, body=b"", status=200, trailers=None, **fields):
        self.head(status, not body and not trailers, **fields)
        if body:
            self.connection.send_body(self.stream, body, not trailers)
        if trailers:
            self.connection.send_headers(self.stream, trailers.items(), True)

    def reset(self, code):
        self.connection.reset(self.stream, code)


class Connection:
    def __init__(self, backend, sock):
        self.backend, self.sock = backend, sock
        self.requests, self.order, self.most = {}, [], 0
        self.is_closed = self.goodbye = False
        self.lock = threading.RLock()
        self.room = threading.Condition(self.lock)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, validate_outbound_headers=False,
            normalize_outbound_headers=False, normalize_inbound_headers=False))
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 65536,
                **backend.settings})

    def flush(self):
        with self.lock:
            data = self.h2.data_to_send()
            if data:
                try:
                    self.sock.sendall(data)
                except OSError:
                    pass

    def send_raw(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def send_headers(self, stream, fields, end=False):
        with self.lock:
            self.h2.send_headers(stream, list(fields), end_stream=end)
            self.flush()

    def send_body(self, stream, body, end=True):
        """Waits for the peer's windows."""
        body = memoryview(body)
        while body:
            with self.lock:
                n = min(len(body), self.h2.max_outbound_frame_size,
                        self.h2.local_flow_control_window(stream))
                if n > 0:
                    self.h2.send_data(stream, bytes(body[:n]),
                                      end and n == len(body))
                    body = body[n:]
                    self.backend.sent += n
                    self.flush()
                elif self.is_closed or not self.room.wait(20):
                    return

    def reset(self, stream, code):
        with self.lock:
            self.h2.reset_stream(stream, code)
            self.flush()

    def goaway(self, last, code=0):
        with self.lock:
            self.h2.close_connection(code, last_stream_id=last)
            self.flush()

    def open_requests(self):
        return sum(not r.is_complete for r in self.requests.values())

    def run(self):
        try:
            self.h2.initiate_connection()
            self.flush()
            while data := self.sock.recv(65536):
                with self.lock:
                    events = self.h2.receive_data(data)
                    self.room.notify_all()
                for event in events:
                    self.take(event)
                self.flush()
        except (OSError, h2.exceptions.ProtocolError) as e:
            self.error = e
        finally:
            with self.lock:
                self.is_closed = True
                self.room.notify_all()
            self.sock.close()

    def take(self, event):
        if self.backend.on_event and self.backend.on_event(self, event):
            return
        if isinstance(event, h2.events.RequestReceived):
            r = Request(self, event.stream_id, event.headers)
            self.requests[event.stream_id] = r
            self.order.append(r)
            if self.backend.on_head:
                self.backend.on_head(r)
        elif isinstance(event, h2.events.DataReceived):
            r = self.requests[event.stream_id]
            r.body += event.data
            if self.backend.reads:
                with self.lock:
                    self.h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.requests[event.stream_id].trailers = {
                n.decode(): v.decode() for n, v in event.headers}
        elif isinstance(event, h2.events.StreamEnded):
            r = self.requests[event.stream_id]
            r.is_complete = True
            if self.backend.handler:
                threading.Thread(target=self.answer, args=(r,),
                                 daemon=True).start()
        elif isinstance(event, h2.events.StreamReset):
            r = self.requests.get(event.stream_id)
            if r:
                r.reset_code = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goodbye = True

    def answer(self, r):
        try:
            self.backend.handler(r)
        except (OSError, h2.exceptions.ProtocolError, KeyError):
            pass  # the proxy has gone, which the test will see


class H2Backend:
    def __init__(self, handler=None, port=0, on_head=None, on_event=None,
                 settings=None, tls=None, reads=True):
        self.handler, self.on_head, self.on_event = handler, on_head, on_event
        self.settings, self.tls, self.reads = settings or {}, tls, reads
        self.connections, self.sent = [], 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        for c in self.connections:
            try:
                c.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.tls:
                    s = self.tls.wrap_socket(s, server_side=True)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                continue
            c = Connection(self, s)
            self.connections.append(c)
            threading.Thread(target=c.run, daemon=True).start()

    @property
    def requests(self):
        return [r for c in self.connections for r in c.order]

    def wait_for(self, n, seconds=10):
        """Until N requests have come."""
        end = time.monotonic() + seconds
        while len(self.requests) < n and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.requests) >= n
        return self.requests
