/*
 * Full TLS 1.3 handshakes, as many as there is time for: every connection is
 * new, nothing is resumed, no request follows. A few threads in plain blocking
 * calls keep the server busy while each waits for its own connection.
 *
 * A connection ends in good order (close_notify, FIN, then the server's end):
 * with a reset, what the server has not read yet would be thrown away, and it
 * might never finish the handshake that is counted here.
 *
 * Every thread has a source address of its own in 127/8, so that ports which
 * are still in TIME_WAIT do not run out. The result is one line of JSON.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS 16
#define WAIT_SECONDS 5 /* for the server, in every call */

struct shaker {
	pthread_t thread;
	uint32_t from;
	uint64_t done, errors;
};

static SSL_CTX *tls;
static uint16_t port;
static double until;

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

	if (SSL_session_reused(ssl))
		return false;
	SSL_shutdown(ssl);
	shutdown(fd, SHUT_WR);
	/* Session tickets, the server's close_notify, its FIN. */
	while ((n = recv(fd, page, sizeof page, 0)) > 0)
		;
	return n == 0;
}

static bool
handshake_run(uint32_t from)
{
	int fd = handshake_connect(from);
	bool fine = false;
	SSL *ssl;

	if (fd < 0)
		return false;
	ssl = SSL_new(tls);
	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1)
		fine = handshake_finish(ssl, fd);
	SSL_free(ssl);
	close(fd);
	return fine;
}

static void *
shaker_run(void *arg)
{
	struct shaker *s = arg;

	while (handshake_now() < until)
		if (handshake_run(s->from))
			s->done++;
		else
			s->errors++;
	return NULL;
}

int
main(int argc, char **argv)
{
	struct shaker shakers[THREADS] = {{ .from = 0 }};
	uint64_t done = 0, errors = 0;
	double start, seconds;

	if (argc != 3) {
		fprintf(stderr, "usage: handshake PORT SECONDS\n");
		return 2;
	}
	port = (uint16_t)atoi(argv[1]);
	tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL ||
	    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) {
		fprintf(stderr, "handshake: no TLS 1.3 in this OpenSSL\n");
		return 1;
	}
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	start = handshake_now();
	until = start + atof(argv[2]);
	for (unsigned i = 0; i < THREADS; i++) {
		shakers[i].from = INADDR_LOOPBACK + 1 + i;
		if (pthread_create(&shakers[i].thread, NULL, shaker_run,
		    &shakers[i]) != 0)
			return 1;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(shakers[i].thread, NULL);
		done += shakers[i].done;
		errors += shakers[i].errors;
	}
	seconds = handshake_now() - start;
	printf("{\"answers\": %llu, \"per_second\": %.1f, \"errors\": %llu}\n",
	    (unsigned long long)done, (double)done / seconds,
	    (unsigned long long)errors);
	SSL_CTX_free(tls);
}
