/*
 * The upstream of the measurements: answers every request head with the same
 * bytes, at once or after a delay. Started by servers.py, ended by a signal.
 *
 * It must never be what limits the proxy in front of it. So nothing is
 * allocated while it serves, a client is found by its descriptor, and since
 * all wait equally long, the queue of deadlines is a plain first in, first
 * out. Requests have no body; paths and fields are not looked at.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 65536  /* descriptors */
#define EVENTS 512     /* of one poll */
#define BODY_MAX (1 << 20)
#define HEAD_MAX 256

struct client {
	bool queued, writing;
	bool gone;        /* closed, though the queue may still hold it */
	unsigned matched; /* bytes of CR LF CR LF seen last */
	unsigned owed;    /* heads that have come and are not answered */
	size_t sent;      /* of the answer under way */
	uint64_t due_us;
	struct client *next;
};

static struct client clients[CLIENTS];
static struct client *queue_first, *queue_last;
static uint64_t delay_us;
static char answer[HEAD_MAX + BODY_MAX];
static size_t answer_n;
static int poll_fd;

static void
upstream_fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
upstream_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- a client ---------------------------------------------------------- */

static int
client_fd(const struct client *c)
{
	return (int)(c - clients);
}

/* The descriptor names the slot: it stays open until the queue lets go of the
 * slot, lest a new client moves in. */
static void
client_close(struct client *c)
{
	c->gone = true;
	if (!c->queued)
		close(client_fd(c));
}

static void
client_queue(struct client *c)
{
	c->due_us = upstream_now() + delay_us;
	c->queued = true;
	c->next = NULL;
	if (queue_first == NULL)
		queue_first = c;
	else
		queue_last->next = c;
	queue_last = c;
}

/* False: the peer is not there any more. */
static bool
client_write(struct client *c)
{
	while (c->sent < answer_n) {
		ssize_t n = send(client_fd(c), answer + c->sent,
		    answer_n - c->sent, MSG_NOSIGNAL);

		if (n < 0) {
			c->writing = errno == EAGAIN;
			return c->writing;
		}
		c->sent += (size_t)n;
	}
	c->writing = false;
	c->sent = 0;
	c->owed--;
	return true;
}

/* Answers what is owed, as far as the delay and the socket allow. */
static void
client_serve(struct client *c)
{
	while (c->owed > 0 && !c->queued) {
		if (delay_us > 0 && !c->writing) {
			client_queue(c);
			return;
		}
		if (!client_write(c)) {
			client_close(c);
			return;
		}
		if (c->writing)
			return;
	}
}

static void
client_find_heads(struct client *c, const char *p, size_t n)
{
	static const char blank[] = "\r\n\r\n";

	for (size_t i = 0; i < n; i++) {
		if (p[i] == blank[c->matched])
			c->matched++;
		else
			c->matched = p[i] == '\r';
		if (c->matched == 4) {
			c->matched = 0;
			c->owed++;
		}
	}
}

static void
client_read(struct client *c)
{
	static char page[16384];
	ssize_t n;

	do {
		n = recv(client_fd(c), page, sizeof page, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			client_close(c);
			return;
		}
		if (n > 0)
			client_find_heads(c, page, (size_t)n);
	} while (n == sizeof page);
	client_serve(c);
}

static void
client_on_ready(struct client *c, uint32_t events)
{
	if (!c->gone && c->writing && (events & EPOLLOUT)) {
		if (client_write(c))
			client_serve(c);
		else
			client_close(c);
	}
	if (!c->gone && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		client_read(c);
}

/* ---- all of them ------------------------------------------------------- */

static void
upstream_accept(int listening)
{
	for (;;) {
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLOUT | EPOLLET
		};
		int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);

		if (fd < 0)
			return;
		if (fd >= CLIENTS) {
			close(fd);
			continue;
		}
		clients[fd] = (struct client){ .owed = 0 };
		event.data.fd = fd;
		if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			upstream_fail("epoll_ctl");
	}
}

static void
upstream_run_due(void)
{
	uint64_t now = queue_first != NULL ? upstream_now() : 0;

	while (queue_first != NULL && queue_first->due_us <= now) {
		struct client *c = queue_first;

		queue_first = c->next;
		c->queued = false;
		if (c->gone || !client_write(c))
			client_close(c);
		else if (!c->writing)
			client_serve(c);
	}
}

/* Milliseconds, rounded up: no answer may come early. */
static int
upstream_timeout(void)
{
	uint64_t now;

	if (queue_first == NULL)
		return -1;
	now = upstream_now();
	if (queue_first->due_us <= now)
		return 0;
	return (int)((queue_first->due_us - now + 999) / 1000);
}

static int
upstream_listen(unsigned long port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		upstream_fail("socket");
	/* Both are inherited by what is accepted. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&to, sizeof to) < 0)
		upstream_fail("bind");
	if (listen(fd, 4096) < 0)
		upstream_fail("listen");
	return fd;
}

static void
upstream_run(int listening)
{
	static struct epoll_event events[EVENTS];
	struct epoll_event event = { .events = EPOLLIN,
		.data.fd = listening };

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, listening, &event) < 0)
		upstream_fail("epoll_ctl");
	for (;;) {
		int n = epoll_wait(poll_fd, events, EVENTS, upstream_timeout());

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listening)
				upstream_accept(listening);
			else
				client_on_ready(&clients[fd], events[i].events);
		}
		upstream_run_due();
	}
}

static void
upstream_prepare_answer(unsigned long body)
{
	int head = snprintf(answer, HEAD_MAX, "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/plain\r\nContent-Length: %lu\r\n\r\n", body);

	memset(answer + head, 'x', body);
	answer_n = (size_t)head + body;
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	unsigned long port, body;

	if (argc != 4) {
		fprintf(stderr, "usage: upstream PORT BYTES DELAY_MS\n");
		return 2;
	}
	port = strtoul(argv[1], NULL, 10);
	body = strtoul(argv[2], NULL, 10);
	delay_us = strtoul(argv[3], NULL, 10) * 1000;
	if (body > BODY_MAX) {
		fprintf(stderr, "at most %d bytes\n", BODY_MAX);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	upstream_prepare_answer(body);
	poll_fd = epoll_create1(0);
	if (poll_fd < 0)
		upstream_fail("epoll_create1");
	upstream_run(upstream_listen(port));
}
