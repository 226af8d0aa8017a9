/*
 * Fronts: the site that a client names decides on everything, and a session is
 * resumed in any worker, but on its own site only.
 */
#include "net/tls_front.c"

#include "tls_world.h"

static const char yaml[] =
    "sites:\n"
    "  a.test:\n"
    "    certificates:\n"
    "      - {certificate: ec.pem, key: ec.key}\n"
    "      - {certificate: rsa.pem, key: rsa.key}\n"
    "  b.test:\n"
    "    certificates: [{certificate: b.pem, key: b.key}]\n"
    "    protocols: [TLSv1.2]\n"
    "    ciphers: ECDHE-ECDSA-CHACHA20-POLY1305\n"
    "  c.test:\n"
    "    certificates: [{certificate: b.pem, key: b.key}]\n"
    "    protocols: [TLSv1.3]\n"
    "  d.test:\n"
    "    certificates: [{certificate: b.pem, key: b.key}]\n"
    "    early_data: on\n"
    "upstreams:\n"
    "  up: {ca: ca.pem}\n"
    "  blind: {verify: off}\n";

struct world {
	struct arena *arena;
	struct loaded l;
	struct wire *wire;
	struct tls_context *front, *other_front; /* as two workers have it */
	struct tls_context *client, *a, *b, *c, *d;
	struct tls_ticket_keys keys;
};

static struct tls_context *
choose(void *arg, struct str name)
{
	struct world *w = arg;

	for (size_t i = 0; i < name.n; i++)
		assert_int_equal(name.p[i], chr_lower(name.p[i]));
	if (str_eq(name, STR("a.test")) || str_has_suffix(name, STR(".w.test")))
		return w->a;
	if (str_eq(name, STR("b.test")))
		return w->b;
	if (str_eq(name, STR("d.test")))
		return w->d;
	return str_eq(name, STR("c.test")) ? w->c : NULL;
}

static struct tls_context *
choose_anything(void *arg, struct str name)
{
	struct world *w = arg;

	(void)name;
	return w->a;
}

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	clock_fake_start(1000, time(NULL));
	w->arena = arena_new();
	w->l = load_yaml(w->arena, yaml);
	w->client = client_context(&w->l, "up");
	w->a = site_context(&w->l, "a.test");
	w->b = site_context(&w->l, "b.test");
	w->c = site_context(&w->l, "c.test");
	w->d = site_context(&w->l, "d.test");
	w->front = tls_context_front(w->arena, choose, w, NULL);
	w->other_front = tls_context_front(w->arena, choose, w, NULL);
	tls_context_expect(w->front, w->a);
	tls_context_expect(w->other_front, w->a);
	expect_good(&w->l);
	w->keys.lifetime = DAY;
	assert_true(tls_ticket_keys_rotate(&w->keys, NULL));
	tls_ticket_keys_set(&w->keys);
	w->wire = wire_new();
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	wire_end(w->wire);
	arena_end(w->arena);
	mem_free(w);
	tls_ticket_keys_set(&(struct tls_ticket_keys){0});
	clock_fake_end();
	return 0;
}

/* ---- a client of OpenSSL's own ----------------------------------------- */

/* Ours keeps no sessions, asks for one protocol, and never does wrong. */
struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	SSL_SESSION *session; /* the last that it was given */
	unsigned sessions;
	int version;
	const char *ciphers;
	struct str alpn;
};

static int
client_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	c->sessions++;
	return 1;
}

static void
client_open(struct client *c, const char *name)
{
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, client_on_session);
	SSL_CTX_set_max_proto_version(c->ctx, c->version);
	if (c->ciphers != NULL)
		SSL_CTX_set_cipher_list(c->ctx, c->ciphers);
	c->ssl = SSL_new(c->ctx);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	SSL_set_connect_state(c->ssl);
	SSL_set_app_data(c->ssl, c);
	SSL_set_bio(c->ssl, c->in, c->out);
	if (name != NULL)
		SSL_set_tlsext_host_name(c->ssl, name);
	if (c->session != NULL)
		SSL_set_session(c->ssl, c->session);
	if (c->alpn.n > 0)
		SSL_set_alpn_protos(c->ssl,
		    (const unsigned char *)c->alpn.p, (unsigned)c->alpn.n);
}

/* Whether the handshake succeeded; tickets have been read then. */
static bool
client_connect(struct world *w, struct client *c, struct tls_context *front,
    const char *name)
{
	struct wire *wire = w->wire;
	char *p;
	size_t n;
	bool ok = false;

	client_open(c, name);
	wire_connect(wire, NULL, front, NULL);
	for (int i = 0; i < 10; i++) {
		ok = SSL_do_handshake(c->ssl) == 1;
		SSL_read(c->ssl, &(char){0}, 1);
		n = (size_t)BIO_get_mem_data(c->out, &p);
		pipe_put(&wire->up, p, n);
		(void)BIO_reset(c->out);
		end_shake(&wire->server);
		BIO_write(c->in, wire->down.p + wire->down.at,
		    (int)pipe_len(&wire->down));
		wire->down.at = wire->down.n = 0;
	}
	return ok && wire->server.is_done;
}

static void
client_close(struct world *w, struct client *c)
{
	/* A ticket that TLS 1.2 renews is not announced. */
	if (SSL_session_reused(c->ssl) &&
	    SSL_version(c->ssl) < TLS1_3_VERSION) {
		SSL_SESSION_free(c->session);
		c->session = SSL_get1_session(c->ssl);
	}
	/* OpenSSL forgets the session of a connection that just ends. */
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN);
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	c->ssl = NULL;
	c->ctx = NULL;
	wire_hang_up(w->wire);
}

static bool
connects(struct world *w, struct client *c, const char *name)
{
	bool ok = client_connect(w, c, w->front, name);

	client_close(w, c);
	return ok;
}

/* Whether a session is resumed, by the other worker. */
static bool
resumes(struct world *w, struct client *c, const char *name)
{
	bool resumed;

	assert_true(client_connect(w, c, w->other_front, name));
	resumed = tls_stream_is_resumed(w->wire->server.s);
	assert_int_equal(resumed, SSL_session_reused(c->ssl));
	client_close(w, c);
	return resumed;
}

static void
client_forget(struct client *c)
{
	SSL_SESSION_free(c->session);
	c->session = NULL;
}

/* ---- choosing ---------------------------------------------------------- */

static void
the_name_chooses_the_site(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;

	wire_connect(wire, w->client, w->front, "b.test");
	expect_handshake(wire);
	assert_string_equal(tls_stream_version(wire->server.s), "TLSv1.2");
	assert_string_equal(tls_stream_cipher(wire->server.s),
	    "ECDHE-ECDSA-CHACHA20-POLY1305");
	assert_true(str_eq(tls_stream_name(wire->server.s), STR("b.test")));
	wire_hang_up(wire);

	wire_connect(wire, w->client, w->front, "x.w.test");
	expect_handshake(wire);
	assert_string_equal(tls_stream_version(wire->server.s), "TLSv1.3");
	assert_true(str_eq(tls_stream_name(wire->server.s), STR("x.w.test")));
}

static void
a_name_is_compared_in_lower_case_and_without_its_dot(void **state)
{
	struct world *w = *state;
	struct client c = {0};

	assert_true(client_connect(w, &c, w->front, "A.TeSt."));
	assert_true(str_eq(tls_stream_name(w->wire->server.s),
	    STR("a.test")));
	client_close(w, &c);
	client_forget(&c);
}

static void
a_name_that_nobody_has_is_refused(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;

	wire_connect(wire, w->client, w->front, "nobody.test");
	assert_false(wire_shake(wire));
	expect_failure(&wire->client, "the peer refuses: unrecognized name");
	expect_failure(&wire->server,
	    "no site here has the name nobody.test");
	wire_hang_up(wire);

	wire_connect(wire, w->client, w->front, NULL);
	assert_false(wire_shake(wire));
	expect_failure(&wire->server,
	    "the client names no site, and none is the default");
}

static void
a_site_refuses_versions_that_it_does_not_speak(void **state)
{
	struct world *w = *state;
	struct client c = {.version = TLS1_2_VERSION};

	assert_true(connects(w, &c, "b.test"));
	assert_false(client_connect(w, &c, w->front, "c.test"));
	expect_failure(&w->wire->server, "no version of TLS in common");
	client_close(w, &c);
	client_forget(&c);
}

static void
a_client_gets_the_certificate_that_it_understands(void **state)
{
	static const struct {
		const char *ciphers;
		int kind;
	} rows[] = {
		{"ECDHE-RSA-AES128-GCM-SHA256", EVP_PKEY_RSA},
		{"ECDHE-ECDSA-AES128-GCM-SHA256", EVP_PKEY_EC},
		{"DHE-RSA-AES128-GCM-SHA256", EVP_PKEY_RSA},
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct client c = {
			.version = TLS1_2_VERSION, .ciphers = rows[i].ciphers
		};

		assert_true(client_connect(w, &c, w->front, "a.test"));
		assert_int_equal(EVP_PKEY_get_id(X509_get0_pubkey(
		    SSL_get0_peer_certificate(c.ssl))), rows[i].kind);
		client_close(w, &c);
		client_forget(&c);
	}
}

static void
a_cipher_outside_the_list_is_refused(void **state)
{
	struct world *w = *state;
	struct client c = {
		.version = TLS1_2_VERSION,
		.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"
	};

	assert_false(client_connect(w, &c, w->front, "b.test"));
	expect_failure(&w->wire->server, "no cipher in common");
	client_close(w, &c);
}

static void
protocols_without_overlap_end_the_handshake(void **state)
{
	struct world *w = *state;
	struct client c = {.alpn = STR("\x02h2\x08http/1.0")};

	assert_false(client_connect(w, &c, w->front, "a.test"));
	expect_failure(&w->wire->server, "no application protocol in common");
	client_close(w, &c);

	c.alpn = STR("\x02h2\x08http/1.1");
	assert_true(client_connect(w, &c, w->front, "a.test"));
	assert_true(str_eq(tls_stream_alpn(w->wire->server.s),
	    STR("http/1.1")));
	client_close(w, &c);
	client_forget(&c);
}

static void
without_alpn_there_is_no_protocol(void **state)
{
	struct world *w = *state;
	struct client c = {0};

	assert_true(client_connect(w, &c, w->front, "a.test"));
	assert_int_equal(tls_stream_alpn(w->wire->server.s).n, 0);
	client_close(w, &c);
	client_forget(&c);
}

/* ---- sessions ---------------------------------------------------------- */

static void
another_worker_resumes_a_session(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct client c = {.version = versions[i]};

		assert_true(connects(w, &c, "a.test"));
		assert_int_equal(c.sessions, 1);
		assert_true(resumes(w, &c, "a.test"));
		assert_true(resumes(w, &c, "a.test"));
		client_forget(&c);
	}
}

static void
a_resumed_connection_knows_its_name(void **state)
{
	struct world *w = *state;
	struct client c = {.version = TLS1_2_VERSION};

	assert_true(connects(w, &c, "a.test"));
	assert_true(client_connect(w, &c, w->front, "x.w.test"));
	assert_true(tls_stream_is_resumed(w->wire->server.s));
	assert_true(str_eq(tls_stream_name(w->wire->server.s),
	    STR("x.w.test")));
	client_close(w, &c);
	client_forget(&c);
}

/* b.test and c.test have the same certificate, a.test has another. */
static void
a_session_stays_on_its_site(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static const char *const others[] = {"b.test", "c.test"};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct client c = {.version = versions[i]};

		assert_true(connects(w, &c, "a.test"));
		assert_false(resumes(w, &c, others[i]));
		client_forget(&c);
	}
	w->c = w->b = site_context(&w->l, "c.test");
	for (int i = 0; i < 2; i++) {
		struct client c = {.version = TLS1_3_VERSION};

		assert_true(connects(w, &c, "b.test"));
		if (i == 1) /* the same certificate, another name */
			w->c = tls_context_new(w->l.load, block_of_entry(
			    &w->l.file->sites, "c.test"), &STR("d.test"), 1,
			    ALPN);
		assert_int_equal(resumes(w, &c, "c.test"), i == 0);
		client_forget(&c);
	}
}

static void
sessions_outlive_a_reload(void **state)
{
	struct world *w = *state;
	struct client c = {0};

	assert_true(connects(w, &c, "a.test"));
	w->a = site_context(&w->l, "a.test");
	assert_true(resumes(w, &c, "a.test"));
	client_forget(&c);
}

static void
tickets_of_older_keys_are_good_and_renewed(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct client c = {.version = versions[i]};

		assert_true(connects(w, &c, "a.test"));
		for (int k = 0; k < 2 * TLS_TICKET_TURNS; k++) {
			tls_ticket_keys_rotate(&w->keys, NULL);
			tls_ticket_keys_set(&w->keys);
			/* Were it not renewed, its key would fall off. */
			assert_true(resumes(w, &c, "a.test"));
		}
		assert_int_equal(w->keys.n, TLS_TICKET_TURNS);
		for (int k = 0; k < TLS_TICKET_TURNS; k++)
			tls_ticket_keys_rotate(&w->keys, NULL);
		tls_ticket_keys_set(&w->keys);
		assert_false(resumes(w, &c, "a.test"));
		client_forget(&c);
	}
}

static void
a_key_is_good_for_a_lifetime_after_its_use(void **state)
{
	struct world *w = *state;
	struct client c = {0};

	assert_true(connects(w, &c, "a.test"));
	clock_fake_advance(DAY * 1000ull);
	tls_ticket_keys_rotate(&w->keys, NULL);
	tls_ticket_keys_set(&w->keys);
	clock_fake_advance(DAY * 1000ull + 1000);
	assert_false(resumes(w, &c, "a.test"));
	client_forget(&c);
}

static void
a_ticket_says_how_long_it_is_good(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct world *w = *state;

	w->keys.lifetime = 1234;
	tls_ticket_keys_set(&w->keys);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct client c = {.version = versions[i]};

		assert_true(connects(w, &c, "a.test"));
		assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(
		    c.session), 1234);
		client_forget(&c);
	}
}

static void
without_a_key_there_are_no_tickets(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct world *w = *state;

	tls_ticket_keys_set(&(struct tls_ticket_keys){0});
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct client c = {.version = versions[i]};

		assert_true(connects(w, &c, "a.test"));
		assert_true(c.session == NULL ||
		    !SSL_SESSION_has_ticket(c.session));
		assert_false(resumes(w, &c, "a.test"));
		client_forget(&c);
	}
}

/* ---- the ClientHello --------------------------------------------------- */

static void
expect_name(const char *bytes, size_t n, enum tls_front_name kind,
    const char *want)
{
	unsigned char *copy = mem_alloc(n + 1); /* its end is guarded */
	char name[TLSEXT_MAXLEN_host_name];
	size_t len = 0;

	copy = mem_realloc(copy, n > 0 ? n : 1);
	memcpy(copy, bytes, n);
	assert_int_equal(tls_front_read_name(copy, n, name, &len), kind);
	if (kind == TLS_NAME_GIVEN)
		assert_true(str_eq(str_of(name, len), str_from(want)));
	mem_free(copy);
}

#define EXPECT_NAME(bytes, kind, want) \
	expect_name(bytes, sizeof(bytes) - 1, kind, want)

static void
a_server_name_is_read_strictly(void **state)
{
	char longest[5 + 256] = {1, 2, 0, 0, (char)255};

	EXPECT_NAME("\0\4\0\0\1A", TLS_NAME_GIVEN, "a");
	EXPECT_NAME("\0\6\0\0\3a.B", TLS_NAME_GIVEN, "a.b");
	EXPECT_NAME("\0\5\0\0\2a.", TLS_NAME_GIVEN, "a");
	EXPECT_NAME("\0\4\0\0\1.", TLS_NAME_GIVEN, "");
	EXPECT_NAME("", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\3\0\0\0", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\4\0\0\1", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\4\0\0\2a", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\5\0\0\1a", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\4\1\0\1a", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\4\0\0\1ab", TLS_NAME_BAD, NULL);
	EXPECT_NAME("\0\5\0\0\2a\0", TLS_NAME_BAD, NULL);
	/* Two names of one type, which the section forbids. */
	EXPECT_NAME("\0\10\0\0\1a\0\0\1b", TLS_NAME_BAD, NULL);

	memset(longest + 5, 'x', 256);
	expect_name(longest, 5 + 255, TLS_NAME_GIVEN,
	    arena_memdup(((struct world *)*state)->arena, longest + 5, 255));
	longest[1] = 3;
	longest[3] = 1;
	longest[4] = 0;
	expect_name(longest, 5 + 256, TLS_NAME_BAD, NULL);
}

/* Every cut of a ClientHello waits, and every change of a byte is survived. */
static void
a_hello_may_be_cut_and_spoilt(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	struct tls_context *any = tls_context_front(w->arena, choose_anything,
	    w, NULL);
	struct client c = {0};
	char *hello;
	size_t n;

	client_open(&c, "a.test");
	SSL_do_handshake(c.ssl);
	n = (size_t)BIO_get_mem_data(c.out, &hello);
	for (size_t cut = 0; cut < n; cut++) {
		wire_connect(wire, NULL, any, NULL);
		pipe_put(&wire->up, hello, cut);
		end_shake(&wire->server);
		assert_int_equal(wire->server.step, TLS_AGAIN);
		pipe_put(&wire->up, hello + cut, n - cut);
		end_shake(&wire->server);
		assert_int_equal(wire->server.step, TLS_AGAIN);
		assert_true(pipe_len(&wire->down) > 0);
		wire_hang_up(wire);
	}
	for (size_t at = 0; at < 2 * n; at++) {
		wire_connect(wire, NULL, any, NULL);
		pipe_put(&wire->up, hello, n);
		wire->up.p[at / 2] ^= at % 2 == 0 ? 1 : (char)0xff;
		wire->up.is_closed = true;
		end_shake(&wire->server);
		end_shake(&wire->server);
		assert_int_not_equal(wire->server.step, TLS_DONE);
		wire_hang_up(wire);
	}
	client_close(w, &c);
}

/* ---- early data -------------------------------------------------------- */

#define EARLY "GET / HTTP/1.1\r\n"

/* What C has to say goes up to the server, FROM..TO of it. */
static void
say_part(struct world *w, struct client *c, size_t from, size_t to)
{
	char *p;
	size_t n = (size_t)BIO_get_mem_data(c->out, &p);

	pipe_put(&w->wire->up, p + from, (to < n ? to : n) - from);
}

static void
hear_all(struct world *w, struct client *c)
{
	struct pipe *down = &w->wire->down;

	BIO_write(c->in, down->p + down->at, (int)pipe_len(down));
	down->at = down->n = 0;
}

/* The client's second flight, and what is left of the handshake. */
static void
end_handshake(struct world *w, struct client *c)
{
	struct end *server = &w->wire->server;

	(void)BIO_reset(c->out);
	assert_int_equal(SSL_do_handshake(c->ssl), 1);
	say_part(w, c, 0, SIZE_MAX);
	server->step = TLS_AGAIN;
	end_shake(server);
	assert_true(server->is_done);
	server->conn.is_early = false;
}

static void
early_data_is_read_and_answered_before_the_end(void **state)
{
	struct world *w = *state;
	struct end *server = &w->wire->server;
	struct client c = {0};
	SSL_SESSION *ticket;
	char got[64];
	size_t n = SIZE_MAX, most = 0;

	tls_context_expect(w->front, w->d);
	assert_true(connects(w, &c, "d.test"));
	assert_int_equal(SSL_SESSION_get_max_early_data(c.session), 16384);

	ticket = c.session;
	for (size_t cut = 0; cut < n; cut++) {
		/* OpenSSL's client uses it once. */
		c.session = SSL_SESSION_dup(ticket);
		client_open(&c, "d.test");
		assert_int_equal(SSL_write_early_data(c.ssl, EARLY,
		    strlen(EARLY), &most), 1);
		n = (size_t)BIO_get_mem_data(c.out, &(char *){NULL});
		wire_connect(w->wire, NULL, w->front, NULL);
		say_part(w, &c, 0, cut);
		end_shake(server);
		assert_int_equal(server->step, TLS_AGAIN);
		say_part(w, &c, cut, SIZE_MAX);
		end_shake(server);
		assert_int_equal(server->step, TLS_AGAIN);

		server->conn.is_early = true; /* as net/handshake.c does */
		assert_int_equal(end_read(server, got, 4), 4);
		assert_int_equal(end_read(server, got + 4, sizeof got - 4),
		    strlen(EARLY) - 4);
		assert_memory_equal(got, EARLY, strlen(EARLY));
		end_write(server, "at once");
		hear_all(w, &c);
		end_handshake(w, &c);
		assert_int_equal(SSL_read(c.ssl, got, sizeof got), 7);
		assert_memory_equal(got, "at once", 7);
		assert_true(tls_stream_is_resumed(server->s));

		(void)BIO_reset(c.out);
		SSL_write(c.ssl, "late", 4);
		say_part(w, &c, 0, SIZE_MAX);
		assert_int_equal(end_read(server, got, sizeof got), 4);
		assert_false(server->conn.reads_early);
		client_close(w, &c);
		client_forget(&c);
	}
	SSL_SESSION_free(ticket);
}

static void
what_nobody_has_read_is_there_after_the_handshake(void **state)
{
	struct world *w = *state;
	struct end *server = &w->wire->server;
	struct client c = {0};
	char got[64];
	size_t n;

	tls_context_expect(w->front, w->d);
	assert_true(connects(w, &c, "d.test"));
	client_open(&c, "d.test");
	SSL_write_early_data(c.ssl, EARLY, strlen(EARLY), &n);
	wire_connect(w->wire, NULL, w->front, NULL);
	say_part(w, &c, 0, SIZE_MAX);
	end_shake(server);
	hear_all(w, &c);
	end_handshake(w, &c);
	(void)BIO_reset(c.out);
	SSL_write(c.ssl, "late", 4);
	say_part(w, &c, 0, SIZE_MAX);
	end_wake(server);
	assert_int_equal(tls_stream_read(server->s, got, sizeof got, &n),
	    TLS_DONE);
	assert_int_equal(n, strlen(EARLY));
	assert_true(server->conn.reads_early && server->conn.can_read);
	assert_int_equal(end_read(server, got, sizeof got), 4);
	assert_false(server->conn.reads_early);
	assert_null(tls_stream_early(server->s));
	client_close(w, &c);
	client_forget(&c);
}

/* The other worker does not read it, as if its configuration were older. */
static void
early_data_that_is_not_read_is_passed_over(void **state)
{
	struct world *w = *state;
	struct client c = {0};
	struct end *server = &w->wire->server;
	size_t n;

	tls_context_expect(w->front, w->d);
	assert_true(connects(w, &c, "d.test"));
	client_open(&c, "d.test");
	SSL_write_early_data(c.ssl, EARLY, strlen(EARLY), &n);
	wire_connect(w->wire, NULL, w->other_front, NULL);
	say_part(w, &c, 0, SIZE_MAX);
	end_shake(server);
	hear_all(w, &c);
	end_handshake(w, &c);
	assert_int_equal(SSL_get_early_data_status(c.ssl),
	    SSL_EARLY_DATA_REJECTED);
	assert_int_equal(w->wire->stats.tls_early_refused, 1);
	assert_int_equal(end_read(server, &(char){0}, 1), 0);
	client_close(w, &c);
	client_forget(&c);
}

static void
more_than_was_allowed_ends_the_handshake(void **state)
{
	struct world *w = *state;
	struct client c = {0};
	struct end *server = &w->wire->server;
	static char much[16385];
	size_t n;

	tls_context_expect(w->front, w->d);
	assert_true(connects(w, &c, "d.test"));
	SSL_SESSION_set_max_early_data(c.session, sizeof much);
	client_open(&c, "d.test");
	SSL_write_early_data(c.ssl, much, sizeof much, &n);
	wire_connect(w->wire, NULL, w->front, NULL);
	say_part(w, &c, 0, SIZE_MAX);
	for (int i = 0; i < 3; i++)
		end_shake(server);
	expect_failure(server, "too much early data");
	client_close(w, &c);
	client_forget(&c);
}

#define FRONT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FRONT_TEST(the_name_chooses_the_site),
		FRONT_TEST(
		    a_name_is_compared_in_lower_case_and_without_its_dot),
		FRONT_TEST(a_name_that_nobody_has_is_refused),
		FRONT_TEST(a_site_refuses_versions_that_it_does_not_speak),
		FRONT_TEST(a_client_gets_the_certificate_that_it_understands),
		FRONT_TEST(a_cipher_outside_the_list_is_refused),
		FRONT_TEST(protocols_without_overlap_end_the_handshake),
		FRONT_TEST(without_alpn_there_is_no_protocol),
		FRONT_TEST(another_worker_resumes_a_session),
		FRONT_TEST(a_resumed_connection_knows_its_name),
		FRONT_TEST(a_session_stays_on_its_site),
		FRONT_TEST(sessions_outlive_a_reload),
		FRONT_TEST(tickets_of_older_keys_are_good_and_renewed),
		FRONT_TEST(a_key_is_good_for_a_lifetime_after_its_use),
		FRONT_TEST(a_ticket_says_how_long_it_is_good),
		FRONT_TEST(without_a_key_there_are_no_tickets),
		FRONT_TEST(a_server_name_is_read_strictly),
		FRONT_TEST(a_hello_may_be_cut_and_spoilt),
		FRONT_TEST(early_data_is_read_and_answered_before_the_end),
		FRONT_TEST(what_nobody_has_read_is_there_after_the_handshake),
		FRONT_TEST(early_data_that_is_not_read_is_passed_over),
		FRONT_TEST(more_than_was_allowed_ends_the_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
