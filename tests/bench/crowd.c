/*
 * A crowd of clients: many kept HTTP/1.1 connections, one process, one loop.
 *
 *   closed loop  every client asks again as soon as it has its answer
 *   paced        every client asks so many times a second, whatever happens;
 *                their starts are spread evenly over the interval
 *   counted      closed loop, so many requests per client, no clock
 *
 * A paced request is timed from the moment at which it was due, not from that
 * at which it could be sent: a server that stands still for a second is charged
 * with every request that became due in that second (a closed loop would see a
 * single slow one). For the same reason what is unanswered in the end is an
 * error, not left out. All connections stand before the first request is sent.
 *
 * Bodies are thrown away inside the kernel, so that the client's copying does
 * not limit the server. The result is one line of JSON.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL /* ns */
#define EVENTS 512           /* of one poll */
#define OPENING_MAX 128      /* at a time: well below any backlog */
#define OPEN_SECONDS 10      /* to open all of them */
#define DRAIN_SECONDS 5      /* for the answers that are missing at the end */
#define HEAD_MAX 4096
#define STEPS 64             /* of the histogram, per power of two: 1.6 % */

enum client_state { CLIENT_NONE, CLIENT_OPENING, CLIENT_IDLE, CLIENT_HEAD,
	CLIENT_BODY };

struct client {
	int fd;
	enum client_state state;
	bool failed, last; /* of the answer that is coming in */
	uint64_t asked;    /* requests sent */
	uint64_t owed;     /* requests that became due and were not sent */
	uint64_t due;      /* of the request under way */
	uint64_t left;     /* of the body */
	size_t head_n;
	char head[HEAD_MAX];
};

static struct {
	/* as asked for */
	unsigned n;
	double rate, seconds, warm_up;
	uint64_t count;
	uint16_t port;
	char request[1024];
	size_t request_n;

	int poll;
	struct client *clients;
	uint64_t start, from, to; /* of the pace; of what is measured */
	uint64_t step;            /* between two requests of the crowd */
	uint64_t ticks;           /* requests that became due */
	unsigned opened, opening, standing, busy;
	uint64_t answers, late, errors, reopened, bytes;
	uint64_t all; /* answers, also those that are not measured */
	uint64_t histogram[64 * STEPS], timed, longest;
} crowd;

static void
crowd_fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
crowd_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- times ------------------------------------------------------------- */

static unsigned
histogram_index(uint64_t us)
{
	unsigned shift = 0;

	while (us >> shift >= 2 * STEPS)
		shift++;
	return shift * STEPS + (unsigned)(us >> shift);
}

static uint64_t
histogram_value(unsigned i)
{
	unsigned shift = i < 2 * STEPS ? 0 : i / STEPS - 1;

	return (uint64_t)(i - shift * STEPS) << shift;
}

static void
histogram_add(uint64_t us)
{
	crowd.histogram[histogram_index(us)]++;
	crowd.timed++;
	if (us > crowd.longest)
		crowd.longest = us;
}

/* The upper edge of the step in which it lies: it is never made better. */
static uint64_t
histogram_quantile(double share)
{
	uint64_t wanted = (uint64_t)(share * (double)crowd.timed), seen = 0;

	for (unsigned i = 0; i < 64 * STEPS; i++) {
		seen += crowd.histogram[i];
		if (seen > wanted)
			return histogram_value(i + 1);
	}
	return crowd.longest;
}

static bool
crowd_is_measured(uint64_t due)
{
	return crowd.count > 0 || (due >= crowd.from && due < crowd.to);
}

/* ---- a client ---------------------------------------------------------- */

static void
client_open(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(crowd.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c
	};
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		crowd_fail("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (epoll_ctl(crowd.poll, EPOLL_CTL_ADD, c->fd, &event) < 0)
		crowd_fail("epoll_ctl");
	c->state = CLIENT_OPENING;
	crowd.opening++;
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 &&
	    errno != EINPROGRESS)
		crowd_fail("connect");
}

static bool
client_is_busy(const struct client *c)
{
	return c->state == CLIENT_HEAD || c->state == CLIENT_BODY;
}

static void
client_close(struct client *c)
{
	if (client_is_busy(c)) {
		crowd.busy--;
		crowd.errors++;
	}
	if (c->state == CLIENT_OPENING) {
		crowd.opening--;
		crowd.errors++;
	} else {
		crowd.standing--;
	}
	close(c->fd);
	c->fd = -1;
	c->state = CLIENT_NONE;
}

/* A server may close a kept connection, between two requests without blame.
 * One that does not let clients in at all is left alone. */
static void
client_reopen(struct client *c)
{
	bool was_open = c->state != CLIENT_OPENING;

	client_close(c);
	if (!was_open)
		return;
	crowd.reopened++;
	client_open(c);
}

static bool
client_has_more(const struct client *c)
{
	if (crowd.count > 0)
		return c->asked < crowd.count;
	if (crowd.start == 0)
		return false;
	if (crowd.rate > 0)
		return c->owed > 0;
	return crowd_now() < crowd.to;
}

/* When the next request of this client was due: paced, its turn among all. */
static uint64_t
client_due(const struct client *c)
{
	uint64_t turn;

	if (crowd.rate == 0)
		return crowd_now();
	turn = c->asked * crowd.n + (uint64_t)(c - crowd.clients);
	return crowd.start + turn * crowd.step;
}

static void
client_ask(struct client *c)
{
	c->due = client_due(c);
	c->asked++;
	if (c->owed > 0)
		c->owed--;
	c->state = CLIENT_HEAD;
	c->head_n = 0;
	c->failed = c->last = false;
	crowd.busy++;
	/* So few bytes always fit into an empty socket. */
	if (send(c->fd, crowd.request, crowd.request_n, MSG_NOSIGNAL) !=
	    (ssize_t)crowd.request_n)
		client_reopen(c);
}

static void
client_finish(struct client *c)
{
	uint64_t now = crowd_now();

	crowd.busy--;
	crowd.all++;
	c->state = CLIENT_IDLE;
	if (c->failed)
		crowd.errors++;
	if (crowd.count > 0 || (now >= crowd.from && now < crowd.to))
		crowd.answers++;
	if (crowd_is_measured(c->due))
		histogram_add((now - c->due) / 1000);
	if (c->last)
		client_reopen(c);
	else if (client_has_more(c))
		client_ask(c);
}

/* The line after the name, or NULL. */
static const char *
client_field(const struct client *c, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = c->head; (p = strstr(p, "\r\n")) != NULL;) {
		p += 2;
		if (strncasecmp(p, name, n) == 0)
			return p + n;
	}
	return NULL;
}

static void
client_read_head(struct client *c, size_t head)
{
	const char *length = client_field(c, "content-length:");
	const char *connection = client_field(c, "connection:");
	uint64_t body, here = c->head_n - head;

	if (length == NULL) {
		fprintf(stderr, "crowd: an answer without Content-Length\n");
		exit(1);
	}
	body = strtoull(length, NULL, 10);
	c->failed = strncmp(c->head, "HTTP/1.1 200 ", 13) != 0;
	c->last = connection != NULL &&
	    strncasecmp(connection, " close", 6) == 0;
	c->left = body > here ? body - here : 0;
	c->state = CLIENT_BODY;
	crowd.bytes += here;
}

/* One recv; false when nothing more is to be had for now. */
static bool
client_read(struct client *c)
{
	char *end;
	ssize_t n;

	if (c->state == CLIENT_BODY)
		n = recv(c->fd, NULL, c->left, MSG_TRUNC);
	else
		n = recv(c->fd, c->head + c->head_n,
		    HEAD_MAX - 1 - c->head_n, 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		client_reopen(c);
		return false;
	}
	if (c->state == CLIENT_BODY) {
		c->left -= (uint64_t)n;
		crowd.bytes += (uint64_t)n;
	} else {
		c->head_n += (size_t)n;
		c->head[c->head_n] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		if (end == NULL)
			return true;
		client_read_head(c, (size_t)(end + 4 - c->head));
	}
	if (c->left == 0) {
		client_finish(c);
		return false;
	}
	return true;
}

static void
client_on_open(struct client *c)
{
	int error = 0;
	socklen_t n = sizeof error;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (error != 0) {
		client_close(c);
		return;
	}
	crowd.opening--;
	crowd.standing++;
	c->state = CLIENT_IDLE;
	if (crowd.start != 0 && client_has_more(c))
		client_ask(c);
}

static void
client_on_ready(struct client *c, uint32_t events)
{
	char byte;

	if (c->state == CLIENT_OPENING) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			client_on_open(c);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	if (c->state == CLIENT_IDLE && recv(c->fd, &byte, 1, 0) == 0) {
		client_reopen(c);
		return;
	}
	while (client_is_busy(c) && client_read(c))
		;
}

/* ---- the crowd --------------------------------------------------------- */

static void
crowd_open(void)
{
	while (crowd.opened < crowd.n && crowd.opening < OPENING_MAX)
		client_open(&crowd.clients[crowd.opened++]);
}

static void
crowd_poll(uint64_t until)
{
	static struct epoll_event events[EVENTS];
	uint64_t now = crowd_now(), ns = until > now ? until - now : 0;
	struct timespec wait = { .tv_sec = (time_t)(ns / SECOND),
		.tv_nsec = (long)(ns % SECOND) };
	int n = epoll_pwait2(crowd.poll, events, EVENTS, &wait, NULL);

	if (n < 0 && errno != EINTR)
		crowd_fail("epoll_pwait2");
	for (int i = 0; i < n; i++)
		client_on_ready(events[i].data.ptr, events[i].events);
}

static void
crowd_gather(void)
{
	uint64_t until = crowd_now() + OPEN_SECONDS * SECOND;

	crowd_open();
	while (crowd.opening > 0 && crowd_now() < until) {
		crowd_poll(until);
		crowd_open();
	}
	if (crowd.standing < crowd.n) {
		fprintf(stderr, "crowd: only %u of %u connections stand\n",
		    crowd.standing, crowd.n);
		exit(1);
	}
}

/* Whose turn has come. Turns are evenly spaced and go round. */
static void
crowd_pace(uint64_t now)
{
	for (; crowd.start + crowd.ticks * crowd.step <= now; crowd.ticks++) {
		struct client *c = &crowd.clients[crowd.ticks % crowd.n];

		c->owed++;
		if (c->state == CLIENT_IDLE)
			client_ask(c);
	}
}

static void
crowd_begin(void)
{
	crowd.start = crowd_now();
	crowd.from = crowd.start + (uint64_t)(crowd.warm_up * SECOND);
	crowd.to = crowd.from + (uint64_t)(crowd.seconds * SECOND);
	if (crowd.rate > 0) {
		crowd.step = (uint64_t)(SECOND / (crowd.rate * crowd.n));
		return;
	}
	for (unsigned i = 0; i < crowd.n; i++)
		if (crowd.clients[i].state == CLIENT_IDLE)
			client_ask(&crowd.clients[i]);
}

static void
crowd_run(void)
{
	uint64_t now;

	crowd_begin();
	if (crowd.count > 0)
		crowd.to = crowd.start + 600 * SECOND;
	while ((now = crowd_now()) < crowd.to) {
		uint64_t next = crowd.to;

		if (crowd.rate > 0) {
			crowd_pace(now);
			next = crowd.start + crowd.ticks * crowd.step;
		} else if (crowd.count > 0 && crowd.busy == 0 &&
		    crowd.opening == 0) {
			crowd.to = now;
			return;
		}
		crowd_poll(next < crowd.to ? next : crowd.to);
	}
}

/* Waits for the answers that are missing, and counts what never came. */
static void
crowd_drain(void)
{
	uint64_t until = crowd_now() + DRAIN_SECONDS * SECOND;

	while (crowd.busy > 0 && crowd_now() < until)
		crowd_poll(until);
	for (unsigned i = 0; i < crowd.n; i++) {
		const struct client *c = &crowd.clients[i];

		crowd.late += c->owed + client_is_busy(c);
	}
}

static void
crowd_report(void)
{
	double seconds = (double)(crowd.to - crowd.from) / SECOND;

	printf("{\"answers\": %llu, \"all\": %llu, "
	    "\"per_second\": %.1f, \"errors\": %llu, "
	    "\"unanswered\": %llu, \"reopened\": %llu, \"bytes\": %llu, "
	    "\"p50_us\": %llu, \"p90_us\": %llu, \"p99_us\": %llu, "
	    "\"max_us\": %llu}\n", (unsigned long long)crowd.answers,
	    (unsigned long long)crowd.all,
	    (double)crowd.answers / seconds, (unsigned long long)crowd.errors,
	    (unsigned long long)crowd.late, (unsigned long long)crowd.reopened,
	    (unsigned long long)crowd.bytes,
	    (unsigned long long)histogram_quantile(0.5),
	    (unsigned long long)histogram_quantile(0.9),
	    (unsigned long long)histogram_quantile(0.99),
	    (unsigned long long)crowd.longest);
}

static void
crowd_read_options(int argc, char **argv)
{
	int option;

	crowd.n = 1;
	crowd.seconds = 3;
	while ((option = getopt(argc, argv, "c:r:d:w:n:")) != -1)
		switch (option) {
		case 'c':
			crowd.n = (unsigned)atoi(optarg);
			break;
		case 'r':
			crowd.rate = atof(optarg);
			break;
		case 'd':
			crowd.seconds = atof(optarg);
			break;
		case 'w':
			crowd.warm_up = atof(optarg);
			break;
		case 'n':
			crowd.count = strtoull(optarg, NULL, 10);
			break;
		default:
			argc = 0;
		}
	if (argc - optind != 2 || crowd.n == 0) {
		fprintf(stderr, "usage: crowd [-c CLIENTS] "
		    "[-r REQUESTS_PER_SECOND_OF_EACH | -n REQUESTS_OF_EACH] "
		    "[-w WARM_UP_SECONDS] [-d SECONDS] PORT PATH\n");
		exit(2);
	}
	crowd.port = (uint16_t)atoi(argv[optind]);
	crowd.request_n = (size_t)snprintf(crowd.request, sizeof crowd.request,
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[optind + 1]);
	if (crowd.request_n >= sizeof crowd.request) {
		fprintf(stderr, "crowd: the path is too long\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	crowd_read_options(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	crowd.poll = epoll_create1(0);
	crowd.clients = calloc(crowd.n, sizeof *crowd.clients);
	if (crowd.poll < 0 || crowd.clients == NULL)
		crowd_fail("crowd");
	crowd_gather();
	crowd_run();
	crowd_drain();
	crowd_report();
}
