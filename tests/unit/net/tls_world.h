/*
 * Two ends of a TLS connection in one process, over pipes in memory that can
 * give and take as little as a test wants; and certificates made as they are
 * needed. The socket below a connection is played by this file.
 */
#ifndef TESTS_NET_TLS_WORLD_H
#define TESTS_NET_TLS_WORLD_H

#include "base/clock.h"
#include "conf/load.h"
#include "net/conn_socket.h"
#include "net/handshake.h"
#include "net/tls.h"
#include "net/tls_stream.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define DAY 86400

/* ---- keys and certificates --------------------------------------------- */

enum key_kind { KEY_EC, KEY_RSA, KEY_SLOW, KEY_OTHER_EC, KEY_CA, KEY_KINDS };

static inline EVP_PKEY *
key_of(enum key_kind kind)
{
	static EVP_PKEY *keys[KEY_KINDS]; /* RSA keys take their time */

	if (keys[kind] == NULL)
		keys[kind] = kind == KEY_RSA ? EVP_RSA_gen(2048) :
		    kind == KEY_SLOW ? EVP_RSA_gen(3072) :
		    EVP_EC_gen("P-256");
	assert_non_null(keys[kind]);
	return keys[kind];
}

static inline void
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static inline char *
pem_text(struct arena *a, BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	char *text = arena_memdup(a, p, (size_t)n);

	BIO_free(bio);
	return text;
}

/* A certificate for NAMES ("DNS:a,IP:127.0.0.1"), valid from FROM to TO in
 * seconds from now, signed by the test's authority; NULL: the authority's. */
static inline char *
certificate(struct arena *a, enum key_kind kind, const char *names, long from,
    long to)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *x = X509_new();
	X509_NAME *issuer = X509_NAME_new();
	static long serial;
	time_t now = (time_t)clock_wall();

	X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_ASC,
	    (const unsigned char *)"Test authority", -1, -1, 0);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_set_issuer_name(x, issuer);
	if (names == NULL)
		X509_set_subject_name(x, issuer);
	ASN1_TIME_adj(X509_getm_notBefore(x), now, 0, from);
	ASN1_TIME_adj(X509_getm_notAfter(x), now, 0, to);
	X509_set_pubkey(x, key_of(kind));
	if (names != NULL)
		add_ext(x, NID_subject_alt_name, names);
	else
		add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(x, key_of(KEY_CA), EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	X509_NAME_free(issuer);
	X509_free(x);
	return pem_text(a, bio);
}

static inline char *
good_certificate(struct arena *a, enum key_kind kind, const char *names)
{
	return certificate(a, kind, names, -DAY, 90 * DAY);
}

static inline char *
authority(struct arena *a)
{
	return certificate(a, KEY_CA, NULL, -DAY, 90 * DAY);
}

static inline char *
key_text(struct arena *a, enum key_kind kind, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key_of(kind),
	    passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
	    (void *)(uintptr_t)passphrase), 1);
	return pem_text(a, bio);
}

/* ---- configurations ---------------------------------------------------- */

struct tls_file {
	struct conf_map sites;     /* struct tls_conf */
	struct conf_map upstreams; /* struct tls_client_conf */
};

static const struct conf_field tls_file_fields[] = {
	KEY_BLOCK_MAP(tls_file, sites, tls_schema, .doc = "Sites."),
	KEY_BLOCK_MAP(tls_file, upstreams, tls_client_schema,
	    .doc = "Upstreams."),
	KEY_END
};
static const struct conf_schema tls_file_schema = {
	.name = "file", .doc = "A file.", .size = sizeof(struct tls_file),
	.fields = tls_file_fields,
};

struct loaded {
	struct arena *arena;
	struct conf_load *load;
	struct tls_file *file;
};

/* FILES: path, text, path, text ..., NULL; the first is the configuration. */
static inline struct loaded
load_files(struct arena *a, const char *const *files)
{
	struct loaded l = {.arena = a};
	struct conf_source *source = arena_zalloc(a, sizeof *source);

	*source = conf_source_memory(a, files);
	l.load = conf_load_new(a, source);
	l.file = conf_load_file(l.load, files[0], &tls_file_schema, NULL, 0);
	return l;
}

/* The files that most tests need, below YAML. */
static inline struct loaded
load_yaml(struct arena *a, const char *yaml)
{
	const char *files[] = {
		"t.yaml", yaml,
		"ec.pem", good_certificate(a, KEY_EC,
		    "DNS:a.test,DNS:*.w.test,IP:127.0.0.1"),
		"ec.key", key_text(a, KEY_EC, NULL),
		"rsa.pem", good_certificate(a, KEY_RSA, "DNS:a.test"),
		"rsa.key", key_text(a, KEY_RSA, NULL),
		"b.pem", good_certificate(a, KEY_OTHER_EC, "DNS:b.test"),
		"b.key", key_text(a, KEY_OTHER_EC, NULL),
		"old.pem", certificate(a, KEY_EC, "DNS:a.test", -9 * DAY,
		    -DAY),
		"ca.pem", authority(a),
		NULL
	};

	return load_files(a, files);
}

static inline const char *
messages(struct loaded *l)
{
	struct buf b = buf_in(l->arena);

	conf_print_diagnostics(l->load, &b);
	buf_chr(&b, '\0');
	return b.p;
}

static inline void
expect_message(struct loaded *l, const char *part)
{
	if (strstr(messages(l), part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, messages(l));
}

static inline void *
block_of_entry(const struct conf_map *map, const char *name)
{
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->entries[i].key, str_from(name)))
			return map->entries[i].value;
	fail_msg("no entry %s", name);
	return NULL;
}

#define ALPN STR("\x08http/1.1")

/* The site NAME, whose host is NAME too. */
static inline struct tls_context *
site_context(struct loaded *l, const char *name)
{
	struct str host = str_from(name);

	return tls_context_new(l->load, block_of_entry(&l->file->sites, name),
	    &host, 1, ALPN);
}

static inline struct tls_context *
client_context(struct loaded *l, const char *name)
{
	return tls_context_new_client(l->load,
	    block_of_entry(&l->file->upstreams, name), ALPN);
}

static inline void
expect_good(struct loaded *l)
{
	if (conf_errors(l->load) + conf_warnings(l->load) > 0)
		fail_msg("%s", messages(l));
}

/* ---- the socket -------------------------------------------------------- */

struct pipe {
	char *p;
	size_t at, n, cap;
	size_t most;     /* that it holds; 0: any amount */
	size_t at_once;  /* bytes of a read or write; 0: any amount */
	bool stutters;   /* every other call says AGAIN */
	bool has_stuttered;
	bool is_closed;  /* FIN */
	bool is_broken;  /* RST */
	unsigned writes, reads; /* calls */
};

struct end {
	struct conn conn;
	struct tls_stream *s;
	struct pipe *in, *out;
	bool is_done; /* with the handshake */
	enum tls_step step;
};

struct wire {
	struct net_stats stats;
	struct net *net;
	struct pipe up, down;
	struct end client, server;
};

static inline bool
pipe_stutters(struct pipe *p)
{
	p->has_stuttered = !p->has_stuttered;
	return p->stutters && p->has_stuttered;
}

static inline void
pipe_put(struct pipe *p, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	if (n > p->cap - p->n) {
		p->cap = 2 * (p->n + n);
		p->p = mem_realloc(p->p, p->cap);
	}
	memcpy(p->p + p->n, bytes, n);
	p->n += n;
}

static inline size_t
pipe_len(const struct pipe *p)
{
	return p->n - p->at;
}

enum conn_status
conn_socket_read(struct conn *c, void *p, size_t cap, size_t *n)
{
	struct pipe *in = CONTAINER_OF(c, struct end, conn)->in;

	in->reads++;
	if (in->is_broken)
		return CONN_FAILED;
	c->can_read = false;
	if (pipe_len(in) == 0)
		return in->is_closed ? CONN_EOF : CONN_AGAIN;
	if (pipe_stutters(in))
		return CONN_AGAIN;
	*n = pipe_len(in) < cap ? pipe_len(in) : cap;
	if (in->at_once > 0 && *n > in->at_once)
		*n = in->at_once;
	memcpy(p, in->p + in->at, *n);
	in->at += *n;
	if (in->at == in->n)
		in->at = in->n = 0;
	c->can_read = *n == cap || (in->is_closed && pipe_len(in) == 0);
	/* What was written here may be read by others within a callback. */
	memset(c->net->in, 0xee, 64);
	return CONN_OK;
}

enum conn_status
conn_socket_write(struct conn *c, const struct iovec *iov, int n_iov,
    int flags, size_t *n)
{
	struct pipe *out = CONTAINER_OF(c, struct end, conn)->out;
	size_t left = SIZE_MAX;

	(void)flags;
	*n = 0;
	out->writes++;
	if (out->is_broken)
		return CONN_FAILED;
	if (out->most > 0)
		left = out->most > pipe_len(out) ? out->most - pipe_len(out) : 0;
	if (out->at_once > 0 && left > out->at_once)
		left = out->at_once;
	if (left == 0 || pipe_stutters(out)) {
		c->can_write = false;
		return CONN_AGAIN;
	}
	for (int i = 0; i < n_iov && left > 0; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		pipe_put(out, iov[i].iov_base, part);
		left -= part;
		*n += part;
	}
	return CONN_OK;
}

const char *
conn_failure(const struct conn *c)
{
	(void)c;
	return "connection reset by peer";
}

#ifndef TLS_WORLD_HEARS
/* The test looks by itself whether there is more to do. */
void
handshake_queue(struct conn *c)
{
	(void)c;
}
#endif

/* ---- the two ends ------------------------------------------------------ */

static inline void
end_open(struct wire *w, struct end *e, struct tls_context *ctx,
    const char *name, bool is_server)
{
	*e = (struct end){
		.in = is_server ? &w->up : &w->down,
		.out = is_server ? &w->down : &w->up,
	};
	e->conn.magic = CONN_MAGIC;
	e->conn.net = w->net;
	e->conn.can_write = true;
	e->s = tls_stream_new(&e->conn, ctx, name, is_server);
	assert_non_null(e->s);
}

static inline struct wire *
wire_new(void)
{
	struct wire *w = mem_zalloc(sizeof *w);

	w->net = net_new(NULL, NULL, &w->stats);
	return w;
}

/* SERVER may be NULL: the test plays it. */
static inline void
wire_connect(struct wire *w, struct tls_context *client,
    struct tls_context *server, const char *name)
{
	if (client != NULL)
		end_open(w, &w->client, client, name, false);
	if (server != NULL)
		end_open(w, &w->server, server, NULL, true);
}

static inline void
wire_hang_up(struct wire *w)
{
	tls_stream_end(w->client.s);
	tls_stream_end(w->server.s);
	w->client.s = w->server.s = NULL;
	mem_free(w->up.p);
	mem_free(w->down.p);
	w->up = w->down = (struct pipe){0};
	/* Nothing may be held for nobody. */
	assert_int_equal(w->stats.pages_leased, 0);
}

static inline void
wire_end(struct wire *w)
{
	wire_hang_up(w);
	net_end(w->net);
	mem_free(w);
}

static inline void
end_wake(struct end *e)
{
	e->conn.can_write = true;
	if (pipe_len(e->in) > 0 || e->in->is_closed || e->in->is_broken)
		e->conn.can_read = true;
	/* Scratch pages are anybody's between two callbacks. */
	memset(e->conn.net->tls, 0xdd, NET_SCRATCH);
}

static inline void
end_shake(struct end *e)
{
	if (e->s == NULL)
		return;
	end_wake(e);
	if (!e->is_done && e->step != TLS_BROKEN && e->step != TLS_CLOSED) {
		e->step = tls_stream_handshake(e->s);
		e->is_done = e->step == TLS_DONE;
	} else {
		tls_stream_flush(e->s);
	}
}

/* The whole handshake, or as much of it as there will be. */
static inline bool
wire_shake(struct wire *w)
{
	for (int i = 0; i < 40000; i++) {
		end_shake(&w->client);
		end_shake(&w->server);
		if ((w->client.s == NULL || w->client.is_done) &&
		    (w->server.s == NULL || w->server.is_done))
			return true;
		if (w->client.step >= TLS_CLOSED &&
		    w->server.step >= TLS_CLOSED)
			return false;
	}
	return false;
}

static inline void
expect_handshake(struct wire *w)
{
	if (!wire_shake(w))
		fail_msg("client: %s; server: %s",
		    tls_stream_failure(w->client.s),
		    tls_stream_failure(w->server.s));
}

static inline void
expect_failure(const struct end *e, const char *words)
{
	assert_int_equal(e->step, TLS_BROKEN);
	assert_string_equal(tls_stream_failure(e->s), words);
}

/* What E can read now, at most CAP bytes; its last answer is in e->step. */
static inline size_t
end_read(struct end *e, char *p, size_t cap)
{
	size_t have = 0, n;

	end_wake(e);
	while (have < cap) {
		e->step = tls_stream_read(e->s, p + have, cap - have, &n);
		if (e->step != TLS_DONE)
			break;
		assert_true(n > 0);
		have += n;
	}
	return have;
}

static inline void
end_write(struct end *e, const char *text)
{
	assert_int_equal(tls_stream_write(e->s, text, strlen(text)), TLS_DONE);
}

static inline void
expect_text(struct wire *w, struct end *from, struct end *to,
    const char *text)
{
	char got[256];
	size_t n = 0;

	end_write(from, text);
	for (int i = 0; i < 10000 && n < strlen(text); i++) {
		end_wake(from);
		tls_stream_flush(from->s);
		n += end_read(to, got + n, sizeof got - n);
	}
	(void)w;
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, n);
}

#endif
