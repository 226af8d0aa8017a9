/*
 * TLS 1.3 handshakes, as many as there is time for: every connection is new,
 * and no request follows. Either nothing is resumed, or everything (-r), by the
 * ticket that each process got with a full handshake before. A few processes in
 * plain blocking calls keep the server busy while each waits for its own
 * connection; threads would wait for the locks of OpenSSL instead.
 *
 * A connection ends in good order (close_notify, FIN, then the server's end):
 * with a reset, what the server has not read yet would be thrown away, and it
 * might never finish the handshake that is counted here.
 *
 * Every process has a source address of its own in 127/8, so that ports which
 * are still in TIME_WAIT do not run out. The result is one line of JSON.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 16
#define WAIT_SECONDS 5 /* for the server, in every call */

struct shaker {
	pid_t pid;
	uint32_t from;
	SSL_SESSION *ticket; /* that every connection resumes; or NULL */
	uint64_t done, errors;
};

static SSL_CTX *tls;
static uint16_t port;
static double until;
static bool resumes;

static double
handshake_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
handshake_connect(uint32_t from)
{
	struct sockaddr_in source = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(from) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval wait = { .tv_sec = WAIT_SECONDS };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
handshake_finish(SSL *ssl, int fd)
{
	char page[4096];
	ssize_t n;

	SSL_shutdown(ssl);
	shutdown(fd, SHUT_WR);
	/* Session tickets, the server's close_notify, its FIN. */
	while ((n = recv(fd, page, sizeof page, 0)) > 0)
		;
	return n == 0;
}

/* With TICKET, that is what happens, or it does not count. */
static bool
handshake_run(uint32_t from, SSL_SESSION *ticket)
{
	int fd = handshake_connect(from);
	bool fine = false;
	SSL *ssl;

	if (fd < 0)
		return false;
	ssl = SSL_new(tls);
	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 &&
	    (ticket == NULL || SSL_set_session(ssl, ticket) == 1) &&
	    SSL_connect(ssl) == 1 &&
	    SSL_session_reused(ssl) == (ticket != NULL))
		fine = handshake_finish(ssl, fd);
	SSL_free(ssl);
	close(fd);
	return fine;
}

/* ---- tickets ----------------------------------------------------------- */

/* The reference is ours when 1 is returned. */
static int
ticket_on_new(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **ticket = SSL_get_app_data(ssl);

	if (ticket == NULL || *ticket != NULL)
		return 0;
	*ticket = session;
	return 1;
}

/* They come after the handshake, and are looked at while reading. */
static bool
ticket_fetch(struct shaker *s)
{
	int fd = handshake_connect(s->from);
	SSL *ssl = SSL_new(tls);
	char byte;

	if (fd >= 0 && ssl != NULL && SSL_set_fd(ssl, fd) == 1) {
		SSL_set_app_data(ssl, &s->ticket);
		if (SSL_connect(ssl) == 1) {
			SSL_shutdown(ssl);
			shutdown(fd, SHUT_WR);
			while (SSL_read(ssl, &byte, 1) > 0)
				;
		}
	}
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	return s->ticket != NULL;
}

/* ---- processes --------------------------------------------------------- */

static void
shaker_run(struct shaker *s)
{
	while (handshake_now() < until)
		if (handshake_run(s->from, s->ticket))
			s->done++;
		else
			s->errors++;
}

static bool
shaker_start(struct shaker *s)
{
	pid_t pid = fork();

	/* Both see the struct. */
	if (pid != 0) {
		s->pid = pid;
		return pid > 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	shaker_run(s);
	_exit(0);
}

static bool
shaker_open(struct shaker *s, uint32_t from)
{
	s->from = from;
	if (!resumes || ticket_fetch(s))
		return true;
	fprintf(stderr, "handshake: there is no ticket\n");
	return false;
}

static void
shaker_read_options(int argc, char **argv, double *seconds)
{
	int option;

	while ((option = getopt(argc, argv, "r")) != -1)
		if (option == 'r')
			resumes = true;
		else
			argc = 0;
	if (argc - optind != 2) {
		fprintf(stderr, "usage: handshake [-r] PORT SECONDS\n");
		exit(2);
	}
	port = (uint16_t)atoi(argv[optind]);
	*seconds = atof(argv[optind + 1]);
}

int
main(int argc, char **argv)
{
	struct shaker *shakers = mmap(NULL, PROCESSES * sizeof *shakers,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t done = 0, errors = 0;
	double start, seconds;
	int status;

	shaker_read_options(argc, argv, &seconds);
	if (shakers == MAP_FAILED)
		return 1;
	tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL ||
	    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) {
		fprintf(stderr, "handshake: no TLS 1.3 in this OpenSSL\n");
		return 1;
	}
	SSL_CTX_set_session_cache_mode(tls,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls, ticket_on_new);
	for (unsigned i = 0; i < PROCESSES; i++)
		if (!shaker_open(&shakers[i], INADDR_LOOPBACK + 1 + i))
			return 1;
	/* Else OpenSSL would resume each no more than once. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	start = handshake_now();
	until = start + seconds;
	for (unsigned i = 0; i < PROCESSES; i++)
		if (!shaker_start(&shakers[i]))
			return 1;
	for (unsigned i = 0; i < PROCESSES; i++) {
		if (waitpid(shakers[i].pid, &status, 0) < 0 || status != 0)
			return 1;
		done += shakers[i].done;
		errors += shakers[i].errors;
		SSL_SESSION_free(shakers[i].ticket);
	}
	seconds = handshake_now() - start;
	printf("{\"answers\": %llu, \"per_second\": %.1f, \"errors\": %llu}\n",
	    (unsigned long long)done, (double)done / seconds,
	    (unsigned long long)errors);
	SSL_CTX_free(tls);
}
