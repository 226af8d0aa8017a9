"""A TLS client whose flights leave when the test says so.

    first = EarlyClient(w.port, "a.example")
    first.exchange(b"GET / HTTP/1.1\\r\\n...")     # a whole handshake
    c = EarlyClient(w.port, "a.example", first.session())
    c.say_early(b"GET / ...")                    # with the first flight
    c.hear(b"\\r\\n\\r\\n")                         # nothing of the second left
    c.finish()                                   # now it does

Python's ssl knows no early data; this is OpenSSL itself, by ctypes, over
memory, so that bytes can be kept back, sent again and looked at.
"""

import ctypes
import ctypes.util
import select
import socket
import time

from conftest import SLOW

lib = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")


def declare(where, result, name, *args):
    f = getattr(where, name)
    f.restype, f.argtypes = result, args
    return f


P, I, L, Z = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_size_t
B, ZP = ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)
declare(lib, P, "TLS_client_method")
declare(lib, P, "SSL_CTX_new", P)
declare(lib, P, "SSL_new", P)
declare(lib, None, "SSL_free", P)
declare(lib, None, "SSL_CTX_free", P)
declare(lib, None, "SSL_SESSION_free", P)
declare(lib, None, "SSL_set_bio", P, P, P)
declare(lib, None, "SSL_set_connect_state", P)
declare(lib, L, "SSL_ctrl", P, I, L, P)
declare(lib, I, "SSL_set_alpn_protos", P, B, ctypes.c_uint)
declare(lib, I, "SSL_set_session", P, P)
declare(lib, P, "SSL_get1_session", P)
declare(lib, I, "SSL_do_handshake", P)
declare(lib, I, "SSL_get_error", P, I)
declare(lib, I, "SSL_read_ex", P, P, Z, ZP)
declare(lib, I, "SSL_write_ex", P, B, Z, ZP)
declare(lib, I, "SSL_write_early_data", P, B, Z, ZP)
declare(lib, I, "SSL_get_early_data_status", P)
declare(lib, None, "SSL_set_shutdown", P, I)
declare(lib, I, "SSL_session_reused", P)
declare(lib, ctypes.c_uint32, "SSL_SESSION_get_max_early_data", P)
declare(crypto, P, "BIO_new", P)
declare(crypto, P, "BIO_s_mem")
declare(crypto, I, "BIO_read", P, P, I)
declare(crypto, I, "BIO_write", P, B, I)
declare(crypto, None, "ERR_clear_error")

SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN = 2, 6
NOT_SENT, REJECTED, ACCEPTED = range(3)
SENT_SHUTDOWN = 1


class Session:
    def __init__(self, pointer):
        self.pointer = pointer

    def __del__(self):
        lib.SSL_SESSION_free(self.pointer)

    @property
    def max_early_data(self):
        return lib.SSL_SESSION_get_max_early_data(self.pointer)


class Broken(Exception):
    """The server ended the connection with an alert."""


class EarlyClient:
    def __init__(self, port, name, session=None, alpn=b"", prologue=b""):
        self.sock = socket.create_connection(("127.0.0.1", port), 15 * SLOW)
        if prologue:
            self.sock.sendall(prologue)
        self.ctx = lib.SSL_CTX_new(lib.TLS_client_method())
        self.ssl = lib.SSL_new(self.ctx)
        self.rbio = crypto.BIO_new(crypto.BIO_s_mem())
        self.wbio = crypto.BIO_new(crypto.BIO_s_mem())
        lib.SSL_set_bio(self.ssl, self.rbio, self.wbio)
        lib.SSL_set_connect_state(self.ssl)
        lib.SSL_ctrl(self.ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0,
                     ctypes.cast(ctypes.c_char_p(name.encode()), P))
        if alpn:
            wire = bytes((len(alpn),)) + alpn
            lib.SSL_set_alpn_protos(self.ssl, wire, len(wire))
        if session is not None:
            assert lib.SSL_set_session(self.ssl, session.pointer) == 1
        self.done = self.eof = self.said_goodbye = False
        self.heard = b""
        self.wire = b""  # all that came
        self.sent = b""  # all that left

    def __del__(self):
        self.close()

    def close(self):
        if self.ssl is not None:
            # Or its session would be none to come back with.
            lib.SSL_set_shutdown(self.ssl, SENT_SHUTDOWN)
            lib.SSL_free(self.ssl)
            lib.SSL_CTX_free(self.ctx)
        self.ssl = None
        self.sock.close()

    # -- bytes

    def flush(self):
        """Sends what OpenSSL has to say."""
        room = ctypes.create_string_buffer(65536)
        while (n := crypto.BIO_read(self.wbio, room, len(room))) > 0:
            self.sent += room.raw[:n]
            self.sock.sendall(room.raw[:n])

    def fetch(self, wait):
        """Whether something came."""
        if self.eof or not select.select([self.sock], [], [], wait)[0]:
            return False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.eof = data == b""
        self.wire += data
        crypto.BIO_write(self.rbio, data, len(data))
        return not self.eof

    def step(self):
        """Handshake and plaintext, as far as what came allows."""
        room, n = ctypes.create_string_buffer(65536), ctypes.c_size_t()
        crypto.ERR_clear_error()
        if not self.done:
            rc = lib.SSL_do_handshake(self.ssl)
            if rc != 1:
                if lib.SSL_get_error(self.ssl, rc) != SSL_ERROR_WANT_READ:
                    raise Broken
                return
            self.done = True
        while lib.SSL_read_ex(self.ssl, room, len(room), ctypes.byref(n)):
            self.heard += room.raw[:n.value]
        error = lib.SSL_get_error(self.ssl, 0)
        self.said_goodbye |= error == SSL_ERROR_ZERO_RETURN
        if error not in (SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN):
            raise Broken

    def hear(self, until, seconds=10):
        """Plaintext up to UNTIL (bytes, or None: the end), which is taken.
        What OpenSSL has to say in return is kept back."""
        end = time.monotonic() + seconds * SLOW
        while True:
            self.step()
            if until is not None and until in self.heard:
                n = self.heard.index(until) + len(until)
                break
            if until is None and (self.eof or self.said_goodbye):
                n = len(self.heard)
                break
            left = end - time.monotonic()
            assert left > 0 and (self.fetch(left) or until is None), \
                self.heard[:500]
        taken, self.heard = self.heard[:n], self.heard[n:]
        return taken

    def hears_nothing(self, seconds=0.3):
        while self.fetch(seconds):
            self.step()
        self.step()
        return self.heard == b""

    # -- what a test does

    def say_early(self, data):
        n = ctypes.c_size_t()
        assert lib.SSL_write_early_data(self.ssl, data, len(data),
                                        ctypes.byref(n)) == 1
        self.flush()

    def finish(self):
        """The handshake to its end; what leaves now was kept back."""
        while not self.done:
            self.step()
            self.flush()
            if not self.done:
                assert self.fetch(10 * SLOW), "the server closed"
        self.flush()

    def say(self, data):
        n = ctypes.c_size_t()
        assert lib.SSL_write_ex(self.ssl, data, len(data),
                                ctypes.byref(n)) == 1
        self.flush()

    def exchange(self, data, until):
        self.finish()
        self.say(data)
        return self.hear(until)

    def session(self):
        return Session(lib.SSL_get1_session(self.ssl))

    @property
    def early_status(self):
        return lib.SSL_get_early_data_status(self.ssl)

    @property
    def is_resumed(self):
        return lib.SSL_session_reused(self.ssl) == 1
