/*
 * Asks a responder (RFC 6960 appendix A). The request is of HTTP/1.0, with a
 * Host: so the answer is never in chunks, and what comes is either as long as
 * its head says or ends with the connection. There are no redirects and no
 * proxies; nothing is asked twice within an inquiry but the next address of
 * the same name when one cannot be reached.
 *
 * The answer is of a stranger, over a way that anybody can tamper with: it is
 * bounded in bytes and time here, and believed only after tls_staple_check.
 */
#include "process/inquiry.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "http/h1_parse.h"
#include "net/addr.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES 4
#define CONNECT_WITHIN 3000 /* ms, an address */
#define ANSWER_WITHIN 10000 /* ms, from the first byte of the request */
#define FIELDS_MAX 64

/* ---- the response ------------------------------------------------------ */

static bool
inquiry_read_head(struct inquiry_reply *r, struct err *e)
{
	static const struct h1_limits limits = { .max_fields = FIELDS_MAX };
	struct h1_response response;
	struct head head;
	enum h1_refusal refusal;

	head_init(&head, r->arena, 16);
	refusal = h1_parse_response(r->bytes, r->head, &limits, &response,
	    &head);
	if (refusal != H1_OK)
		return err_set(e, "the response is no HTTP: %s",
		    h1_refusal_text(refusal));
	if (response.status != 200)
		return err_set(e, "the response has the status %d",
		    response.status);
	/* RFC 9112 section 6.1: not to a request of HTTP/1.0. */
	if (response.chunked)
		return err_set(e, "the response is in chunks");
	if (response.content_length > TLS_STAPLE_MAX)
		return err_set(e, "the response has more than %d bytes",
		    TLS_STAPLE_MAX);
	r->length = response.content_length;
	return true;
}

enum inquiry_step
inquiry_read(struct inquiry_reply *r, bool is_end, struct str *body,
    struct err *e)
{
	size_t n;

	if (r->head == 0) {
		r->head = h1_scan_head(r->bytes, r->n < INQUIRY_HEAD_MAX ?
		    r->n : INQUIRY_HEAD_MAX, &r->scanned);
		if (r->head == 0 && r->n < INQUIRY_HEAD_MAX && !is_end)
			return INQUIRY_MORE;
		if (r->head == 0) {
			err_set(e, "the response has no head");
			return INQUIRY_FAILED;
		}
		if (!inquiry_read_head(r, e))
			return INQUIRY_FAILED;
	}
	n = r->n - r->head;
	if (r->length >= 0 ? n >= (size_t)r->length : is_end) {
		if (r->length >= 0)
			n = (size_t)r->length;
		*body = str_of(r->bytes + r->head, n);
		return INQUIRY_DONE;
	}
	if (n > TLS_STAPLE_MAX || r->n == sizeof r->bytes)
		err_set(e, "the response has more than %d bytes",
		    TLS_STAPLE_MAX);
	else if (is_end)
		err_set(e, "the response is cut off");
	else
		return INQUIRY_MORE;
	return INQUIRY_FAILED;
}

/* ---- the exchange ------------------------------------------------------ */

/* DEADLINE in ms of clock_precise_us: the loop's time is not a thread's. */
static bool
inquiry_wait(const struct inquiry *q, int fd, short events, uint64_t deadline,
    struct err *e)
{
	struct pollfd fds[2] = {
		{ .fd = fd, .events = events },
		{ .fd = q->stop, .events = POLLIN }
	};

	for (;;) {
		uint64_t now = clock_precise_us() / 1000;
		int n;

		if (now >= deadline)
			return err_set(e, "it took too long");
		n = poll(fds, 2, (int)(deadline - now));
		if (n < 0 && errno != EINTR)
			return err_sys(e, "cannot wait");
		if (n <= 0)
			continue;
		if (fds[1].revents != 0)
			return err_set(e, "nobody waits any more");
		return true;
	}
}

static int
inquiry_connect(const struct inquiry *q, const struct addr *to,
    struct err *e)
{
	uint64_t deadline = clock_precise_us() / 1000 + CONNECT_WITHIN;
	int fd = socket(to->sa.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;
	socklen_t n = sizeof error;

	if (fd < 0) {
		err_sys(e, "cannot make a socket");
		return -1;
	}
	if (connect(fd, &to->sa, to->len) == 0)
		return fd;
	if (errno != EINPROGRESS) {
		err_sys(e, "cannot connect");
	} else if (inquiry_wait(q, fd, POLLOUT, deadline, e)) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
		    error == 0)
			return fd;
		errno = error;
		err_sys(e, "cannot connect");
	}
	close(fd);
	return -1;
}

static int
inquiry_connect_any(struct inquiry *q, struct err *e)
{
	struct addr addrs[ADDRESSES];
	size_t n;
	int fd = -1;

	if (poll(&(struct pollfd){ .fd = q->stop, .events = POLLIN }, 1, 0)
	    != 0) {
		err_set(e, "nobody waits any more");
		return -1;
	}
	__atomic_store_n(&q->is_looking_up, true, __ATOMIC_RELAXED);
	n = addr_resolve(q->question->host, q->question->port, addrs,
	    COUNT_OF(addrs), e);
	__atomic_store_n(&q->is_looking_up, false, __ATOMIC_RELAXED);
	for (size_t i = 0; fd < 0 && i < n; i++)
		fd = inquiry_connect(q, &addrs[i], e);
	return fd;
}

static struct str
inquiry_request(struct inquiry *q)
{
	const struct tls_question *u = q->question;
	bool is_v6 = str_index(u->host, ':', 0) < u->host.n;
	struct buf b = buf_in(q->reply.arena);

	buf_printf(&b, "POST %.*s HTTP/1.0\r\nHost: %s%.*s%s",
	    STR_ARG(u->path), is_v6 ? "[" : "", STR_ARG(u->host),
	    is_v6 ? "]" : "");
	if (u->port != 80)
		buf_printf(&b, ":%u", u->port);
	buf_printf(&b, "\r\nConnection: close\r\n"
	    "Content-Type: application/ocsp-request\r\n"
	    "Accept: application/ocsp-response\r\n"
	    "Content-Length: %zu\r\n\r\n", u->request.n);
	buf_str(&b, u->request);
	return buf_view(&b);
}

static bool
inquiry_send(struct inquiry *q, int fd, uint64_t deadline, struct err *e)
{
	struct str rest = inquiry_request(q);

	while (rest.n > 0) {
		ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);

		if (n >= 0)
			rest = str_slice(rest, (size_t)n, rest.n);
		else if (errno == EAGAIN) {
			if (!inquiry_wait(q, fd, POLLOUT, deadline, e))
				return false;
		} else if (errno != EINTR)
			return err_sys(e, "cannot send");
	}
	return true;
}

static bool
inquiry_receive(struct inquiry *q, int fd, uint64_t deadline,
    struct str *out, struct err *e)
{
	struct inquiry_reply *r = &q->reply;
	enum inquiry_step step = INQUIRY_MORE;

	while (step == INQUIRY_MORE) {
		ssize_t n;

		if (!inquiry_wait(q, fd, POLLIN, deadline, e))
			return false;
		n = recv(fd, r->bytes + r->n, sizeof r->bytes - r->n, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return err_sys(e, "cannot receive");
		r->n += (size_t)n;
		step = inquiry_read(r, n == 0, out, e);
	}
	return step == INQUIRY_DONE;
}

bool
inquiry_run(struct inquiry *q, struct str *out, struct err *e)
{
	int fd = inquiry_connect_any(q, e);
	uint64_t deadline = clock_precise_us() / 1000 + ANSWER_WITHIN;
	bool ok;

	if (fd < 0)
		return false;
	ok = inquiry_send(q, fd, deadline, e) &&
	    inquiry_receive(q, fd, deadline, out, e);
	close(fd);
	return ok;
}
