"""An upstream that writes down what it is asked: method, target and fields of
each request. What it answers is the test's to say.

    with Heads(port) as app:
        ...
        assert app.seen[0].fields["host"] == ["a.example"]
"""

import http.server
import threading


class Seen:
    def __init__(self, handler):
        self.method, self.target = handler.command, handler.path
        self.fields = {}
        for name, value in handler.headers.items():
            self.fields.setdefault(name.lower(), []).append(value)


class Heads:
    def __init__(self, port, answer=None):
        """answer(seen) gives (status, fields, body)."""
        self.seen = []
        self.answer = answer or (lambda seen: (200, {}, b"ok\n"))
        heads = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen = Seen(self)
                heads.seen.append(seen)
                status, fields, body = heads.answer(seen)
                self.send_response(status)
                for name, value in dict(fields).items():
                    for v in value if isinstance(value, list) else [value]:
                        self.send_header(name, v)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port),
                                                      Handler)
        self.server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
