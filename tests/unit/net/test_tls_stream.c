/*
 * Streams: handshakes, data both ways however the socket behaves, and every
 * way in which a connection ends.
 */
#include "tls_world.h"

static const char yaml[] =
    "sites:\n"
    "  a.test:\n"
    "    certificates: [{certificate: ec.pem, key: ec.key}]\n"
    "  rsa.test:\n"
    "    protocols: TLSv1.2\n"
    "    certificates: [{certificate: rsa.pem, key: rsa.key}]\n"
    "  ec2.test:\n"
    "    protocols: [TLSv1.2]\n"
    "    certificates: [{certificate: ec.pem, key: ec.key}]\n"
    "  old.test:\n"
    "    certificates: [{certificate: old.pem, key: ec.key}]\n"
    "upstreams:\n"
    "  up: {ca: ca.pem}\n"
    "  blind: {verify: off}\n"
    "  stranger: {ca: b.pem}\n";

struct world {
	struct arena *arena;
	struct loaded l;
	struct wire *wire;
	struct tls_context *client, *ec, *rsa, *ec2;
};

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	clock_update();
	w->arena = arena_new();
	w->l = load_yaml(w->arena, yaml);
	w->client = client_context(&w->l, "up");
	w->ec = site_context(&w->l, "a.test");
	w->rsa = site_context(&w->l, "rsa.test");
	w->ec2 = site_context(&w->l, "ec2.test");
	expect_good(&w->l);
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
	return 0;
}

static void
connect_to(struct world *w, struct tls_context *server)
{
	wire_connect(w->wire, w->client, server, "a.test");
	expect_handshake(w->wire);
}

/* ---- handshakes -------------------------------------------------------- */

static void
both_versions_and_kinds_of_key_shake_hands(void **state)
{
	struct world *w = *state;
	struct {
		struct tls_context *server;
		const char *version, *cipher;
	} rows[] = {
		{w->ec, "TLSv1.3", "TLS_AES_256_GCM_SHA384"},
		{w->rsa, "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"},
		{w->ec2, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct end *client = &w->wire->client;
		struct end *server = &w->wire->server;

		connect_to(w, rows[i].server);
		assert_string_equal(tls_stream_version(server->s),
		    rows[i].version);
		assert_string_equal(tls_stream_cipher(server->s),
		    rows[i].cipher);
		assert_true(str_eq(tls_stream_alpn(server->s),
		    STR("http/1.1")));
		assert_true(str_eq(tls_stream_alpn(client->s),
		    STR("http/1.1")));
		assert_false(tls_stream_is_resumed(server->s));
		expect_text(w->wire, client, server, "ping");
		expect_text(w->wire, server, client, "pong");
		wire_hang_up(w->wire);
	}
}

static void
any_socket_will_do(void **state)
{
	static const struct {
		size_t at_once, most;
		bool stutters;
	} rows[] = {
		{1, 0, false}, {1, 0, true}, {0, 0, true}, {7, 7, true},
		{0, 1, false}, {0, 1000, true}, {5, 0, false},
	};
	struct world *w = *state;

	for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
		struct wire *wire = w->wire;
		size_t k = i / 2;

		wire->up.at_once = wire->down.at_once = rows[k].at_once;
		wire->up.most = wire->down.most = rows[k].most;
		wire->up.stutters = wire->down.stutters = rows[k].stutters;
		connect_to(w, i % 2 == 0 ? w->ec : w->rsa);
		expect_text(wire, &wire->client, &wire->server, "ping");
		expect_text(wire, &wire->server, &wire->client, "pong");
		wire_hang_up(wire);
	}
}

static void
an_address_can_be_verified_and_is_not_asked_for(void **state)
{
	struct world *w = *state;

	wire_connect(w->wire, w->client, w->ec, "127.0.0.1");
	expect_handshake(w->wire);
	assert_int_equal(tls_stream_name(w->wire->server.s).n, 0);
}

/* ---- refusals ---------------------------------------------------------- */

static void
expect_refusal(struct world *w, struct tls_context *client,
    struct tls_context *server, const char *name, const char *words,
    const char *server_words)
{
	wire_connect(w->wire, client, server, name);
	assert_false(wire_shake(w->wire));
	expect_failure(&w->wire->client, words);
	expect_failure(&w->wire->server, server_words);
	wire_hang_up(w->wire);
}

static void
certificates_are_verified(void **state)
{
	struct world *w = *state;
	struct tls_context *stranger = client_context(&w->l, "stranger");
	struct tls_context *old = site_context(&w->l, "old.test");

	expect_refusal(w, w->client, w->ec, "b.test",
	    "the certificate is refused: hostname mismatch "
	    "(no subject, wanted b.test)",
	    "the peer refuses: bad certificate");
	expect_refusal(w, w->client, w->ec, "127.0.0.2",
	    "the certificate is refused: IP address mismatch "
	    "(no subject)",
	    "the peer refuses: bad certificate");
	expect_refusal(w, stranger, w->ec, "a.test",
	    "the certificate is refused: unable to get local issuer "
	    "certificate (no subject, wanted a.test)",
	    "the peer refuses: unknown CA");
	expect_refusal(w, w->client, old, "a.test",
	    "the certificate is refused: certificate has expired "
	    "(no subject, wanted a.test)",
	    "the peer refuses: certificate expired");
}

static void
wildcards_are_one_whole_label(void **state)
{
	struct world *w = *state;

	wire_connect(w->wire, w->client, w->ec, "x.w.test");
	expect_handshake(w->wire);
	wire_hang_up(w->wire);
	expect_refusal(w, w->client, w->ec, "x.y.w.test",
	    "the certificate is refused: hostname mismatch "
	    "(no subject, wanted x.y.w.test)",
	    "the peer refuses: bad certificate");
	expect_refusal(w, w->client, w->ec, "w.test",
	    "the certificate is refused: hostname mismatch "
	    "(no subject, wanted w.test)",
	    "the peer refuses: bad certificate");
}

static void
without_verification_anything_goes(void **state)
{
	struct world *w = *state;

	wire_connect(w->wire, client_context(&w->l, "blind"), w->ec, "x.test");
	expect_handshake(w->wire);
}

static void
plain_http_is_told_from_tls(void **state)
{
	struct world *w = *state;
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	wire_connect(w->wire, NULL, w->ec, NULL);
	pipe_put(&w->wire->up, request, sizeof request - 1);
	wire_shake(w->wire);
	expect_failure(&w->wire->server, "the client speaks HTTP without TLS");
}

static void
garbage_is_refused(void **state)
{
	struct world *w = *state;
	char bytes[4096];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 37 + 11);
	wire_connect(w->wire, NULL, w->ec, NULL);
	pipe_put(&w->wire->up, bytes, sizeof bytes);
	wire_shake(w->wire);
	expect_failure(&w->wire->server, "the peer does not speak TLS");
	/* And the connection stays refused. */
	assert_int_equal(tls_stream_handshake(w->wire->server.s), TLS_BROKEN);
}

static void
an_old_version_is_refused(void **state)
{
	struct world *w = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(ctx);
	char *p;
	long n;

	SSL_set_security_level(ssl, 0);
	SSL_set_min_proto_version(ssl, TLS1_VERSION);
	SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
	SSL_set_bio(ssl, in, out);
	SSL_connect(ssl);
	n = BIO_get_mem_data(out, &p);
	assert_true(n > 0);
	wire_connect(w->wire, NULL, w->ec, NULL);
	pipe_put(&w->wire->up, p, (size_t)n);
	wire_shake(w->wire);
	expect_failure(&w->wire->server, "no version of TLS in common");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

/* ---- data -------------------------------------------------------------- */

#define MUCH (3u << 20)

static char
much_at(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

static void
send_much(struct world *w, struct end *from, struct end *to, size_t chunk,
    size_t cap)
{
	char *page = mem_alloc(chunk), *got = mem_alloc(cap);
	size_t sent = 0, read = 0, n;

	for (int i = 0; i < 400000 && read < MUCH; i++) {
		end_wake(from);
		assert_true(tls_stream_flush(from->s));
		if (tls_stream_is_flushed(from->s) && sent < MUCH) {
			n = MUCH - sent < chunk ? MUCH - sent : chunk;
			for (size_t k = 0; k < n; k++)
				page[k] = much_at(sent + k);
			assert_int_equal(tls_stream_write(from->s, page, n),
			    TLS_DONE);
			sent += n;
		}
		end_wake(to);
		if (tls_stream_read(to->s, got, cap, &n) != TLS_DONE)
			continue;
		for (size_t k = 0; k < n; k++)
			if (got[k] != much_at(read + k))
				fail_msg("byte %zu differs", read + k);
		read += n;
	}
	assert_int_equal(read, MUCH);
	mem_free(page);
	mem_free(got);
	(void)w;
}

static void
megabytes_pass_both_ways(void **state)
{
	static const struct {
		size_t chunk, cap, at_once, most;
	} rows[] = {
		{65536, 65536, 0, 0}, {65536, 65536, 0, 20000},
		{65536, 1000, 0, 100000}, {1000, 65536, 3000, 0},
		{200000, 65536, 0, 70000}, {16384, 16384, 5000, 0},
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct wire *wire = w->wire;

		wire->up.at_once = wire->down.at_once = rows[i].at_once;
		wire->up.most = wire->down.most = rows[i].most;
		connect_to(w, i % 2 == 0 ? w->ec : w->rsa);
		send_much(w, &wire->client, &wire->server, rows[i].chunk,
		    rows[i].cap);
		send_much(w, &wire->server, &wire->client, rows[i].chunk,
		    rows[i].cap);
		wire_hang_up(wire);
	}
}

static void
a_scratch_page_of_records_is_one_call(void **state)
{
	struct world *w = *state;
	char *page = mem_zalloc(65536);
	struct wire *wire = w->wire;
	size_t n;

	connect_to(w, w->ec);
	wire->down.writes = wire->down.reads = 0;
	assert_int_equal(tls_stream_write(wire->server.s, page, 65536),
	    TLS_DONE);
	assert_int_equal(wire->down.writes, 1);

	end_wake(&wire->client);
	assert_int_equal(tls_stream_read(wire->client.s, page, 65536, &n),
	    TLS_DONE);
	assert_true(n > 3 * 16384);
	assert_true(wire->down.reads <= 2);
	mem_free(page);
}

/* The lengths of the records that the server has made since the last time,
 * without what is not plaintext: 17 bytes in TLS 1.3. Returns their number. */
static size_t
count_records(struct wire *wire, size_t *lengths, size_t most)
{
	struct pipe *down = &wire->down;
	size_t n = 0;

	while (pipe_len(down) > 0) {
		const unsigned char *p =
		    (const unsigned char *)down->p + down->at;
		size_t len = (size_t)p[3] << 8 | p[4];

		assert_true(n < most);
		assert_int_equal(p[0], SSL3_RT_APPLICATION_DATA);
		lengths[n++] = len - 17;
		down->at += 5 + len;
	}
	down->at = down->n = 0;
	return n;
}

static size_t
records_of(struct wire *wire, size_t bytes, size_t *lengths)
{
	char *page = mem_zalloc(bytes);

	assert_int_equal(tls_stream_write(wire->server.s, page, bytes),
	    TLS_DONE);
	mem_free(page);
	return count_records(wire, lengths, 64);
}

static void
records_begin_small_and_grow(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	size_t got[64], n, sent = 0;

	connect_to(w, w->ec);
	count_records(wire, got, 64); /* a ticket */
	n = records_of(wire, 49152, got);
	assert_int_equal(got[0], 1369);
	for (size_t i = 0; i + 1 < n; i++) {
		assert_true(i == 0 || got[i] == got[i - 1] + got[i - 1] / 4);
		assert_true(got[i] <= 1369 + sent / 4);
		sent += got[i];
	}
	assert_true(n < 14 && got[n - 2] < 16384);

	records_of(wire, 49152, got); /* the last of them is full */
	assert_int_equal(records_of(wire, 49152, got), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(got[i], 16384);
}

static void
records_are_small_again_after_a_second(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	size_t got[64];

	clock_fake_start(1000, clock_wall());
	connect_to(w, w->ec);
	count_records(wire, got, 64);
	records_of(wire, 98304, got);
	clock_fake_advance(700);
	assert_int_equal(records_of(wire, 16384, got), 1);
	clock_fake_advance(700);
	assert_int_equal(records_of(wire, 16384, got), 1);
	clock_fake_advance(1024);
	assert_true(records_of(wire, 16384, got) > 1);
	assert_int_equal(got[0], 1369);
	clock_fake_end();
}

static void
small_answers_stay_one_record(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	size_t got[64];

	connect_to(w, w->ec);
	count_records(wire, got, 64);
	for (int i = 0; i < 5; i++)
		assert_int_equal(records_of(wire, 1369, got), 1);
	/* They count: this is no slow start any more. */
	assert_int_equal(records_of(wire, 3000, got), 1);
}

static void
requests_to_upstreams_are_cut_into_full_records(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char *page = mem_zalloc(16384);
	unsigned char *head;

	connect_to(w, w->ec);
	wire->up.at = wire->up.n = 0;
	assert_int_equal(tls_stream_write(wire->client.s, page, 16384),
	    TLS_DONE);
	head = (unsigned char *)wire->up.p;
	assert_int_equal(pipe_len(&wire->up), 5 + (head[3] << 8 | head[4]));
	mem_free(page);
}

static void
a_small_answer_is_one_read_and_one_write(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char page[1024] = "";
	size_t n;

	connect_to(w, w->ec);
	expect_text(wire, &wire->client, &wire->server, "first");
	wire->down.writes = wire->up.reads = 0;
	end_write(&wire->client, "GET / HTTP/1.1\r\n\r\n");
	end_wake(&wire->server);
	assert_int_equal(tls_stream_read(wire->server.s, page, sizeof page,
	    &n), TLS_DONE);
	assert_false(wire->server.conn.can_read);
	assert_int_equal(tls_stream_read(wire->server.s, page, sizeof page,
	    &n), TLS_AGAIN);
	assert_int_equal(wire->up.reads, 1);
	assert_int_equal(tls_stream_write(wire->server.s, page, sizeof page),
	    TLS_DONE);
	assert_int_equal(wire->down.writes, 1);
}

/* What is read ahead for a small buffer shows in can_read. */
static void
what_waits_inside_can_be_read(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char page[4];
	size_t n, total = 0;

	connect_to(w, w->ec);
	wire->up.reads = 0;
	end_write(&wire->client, "one");
	end_write(&wire->client, "and another");
	end_wake(&wire->server);
	for (int i = 0; i < 20 && wire->server.conn.can_read; i++)
		if (tls_stream_read(wire->server.s, page, sizeof page, &n) ==
		    TLS_DONE)
			total += n;
	assert_int_equal(total, strlen("oneand another"));
	/* Once more in vain: it cannot know that the socket is drained. */
	assert_true(wire->up.reads <= 2);
}

static void
a_full_socket_holds_records_back(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16] = "";

	connect_to(w, w->ec);
	wire->up.most = 10;
	end_write(&wire->client, "ping");
	assert_false(tls_stream_is_flushed(wire->client.s));
	assert_true(tls_stream_flush(wire->client.s));
	assert_false(tls_stream_is_flushed(wire->client.s));
	wire->up.most = 0;
	assert_true(tls_stream_flush(wire->client.s));
	assert_true(tls_stream_is_flushed(wire->client.s));
	assert_int_equal(end_read(&wire->server, text, sizeof text), 4);
	assert_string_equal(text, "ping");

	/* What comes later does not overtake it. */
	wire->up.most = 10;
	end_write(&wire->client, "ping");
	wire->up.most = 0;
	end_write(&wire->client, "pong");
	assert_true(tls_stream_flush(wire->client.s));
	assert_int_equal(end_read(&wire->server, text, sizeof text), 8);
	assert_string_equal(text, "pingpong");
}

/* A client need not wait before it sends its request. */
static void
what_comes_with_the_finished_message_can_be_read(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[8] = "";
	size_t n;

	wire_connect(wire, w->client, w->ec, "a.test");
	for (int i = 0; i < 5 && !wire->client.is_done; i++) {
		end_shake(&wire->client);
		if (!wire->client.is_done)
			end_shake(&wire->server);
	}
	assert_true(wire->client.is_done);
	end_write(&wire->client, "early");
	end_shake(&wire->server);
	assert_true(wire->server.is_done);
	assert_true(wire->server.conn.can_read);
	wire->up.reads = 0;
	assert_int_equal(tls_stream_read(wire->server.s, text, sizeof text,
	    &n), TLS_DONE);
	assert_string_equal(text, "early");
	assert_int_equal(wire->up.reads, 0);
}

/* ---- ends -------------------------------------------------------------- */

static void
close_notify_comes_after_the_data(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16];
	size_t n;

	connect_to(w, w->ec);
	end_read(&wire->client, text, sizeof text); /* tickets */
	end_write(&wire->server, "bye");
	tls_stream_close_notify(wire->server.s);
	tls_stream_close_notify(wire->server.s);
	end_wake(&wire->client);
	assert_int_equal(tls_stream_read(wire->client.s, text, sizeof text,
	    &n), TLS_DONE);
	assert_int_equal(n, 3);
	/* It came with the data, and the socket is silent from now on. */
	assert_true(wire->client.conn.can_read);
	assert_int_equal(tls_stream_read(wire->client.s, text, sizeof text,
	    &n), TLS_CLOSED);
	/* The other direction goes on. */
	expect_text(wire, &wire->client, &wire->server, "still here");
}

static void
a_client_may_just_go(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16];

	connect_to(w, w->ec);
	end_write(&wire->client, "request");
	wire->up.is_closed = true;
	assert_int_equal(end_read(&wire->server, text, sizeof text), 7);
	assert_int_equal(wire->server.step, TLS_CLOSED);
	expect_text(wire, &wire->server, &wire->client, "answer");
}

static void
a_server_must_say_that_it_ends(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16];

	connect_to(w, w->ec);
	end_write(&wire->server, "half of");
	wire->down.is_closed = true;
	assert_int_equal(end_read(&wire->client, text, sizeof text), 7);
	expect_failure(&wire->client, "the peer closed without close_notify");
}

static void
an_end_within_a_record_is_broken(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16];

	for (size_t keep = 1; keep < 5 + 4 + 1 + 16; keep++) {
		connect_to(w, w->ec);
		end_read(&wire->client, text, sizeof text);
		end_write(&wire->client, "ping");
		wire->up.n = wire->up.at + keep;
		wire->up.is_closed = true;
		assert_int_equal(end_read(&wire->server, text, sizeof text),
		    0);
		expect_failure(&wire->server,
		    "the peer closed within a record");
		wire_hang_up(wire);
	}
}

static void
an_end_within_the_handshake_is_an_end(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;

	wire_connect(wire, w->client, w->ec, "a.test");
	end_shake(&wire->client);
	wire->up.n = 100;
	wire->up.is_closed = true;
	end_shake(&wire->server);
	assert_int_equal(wire->server.step, TLS_CLOSED);
	assert_string_equal(tls_stream_failure(wire->server.s),
	    "the peer closed during the handshake");
}

static void
every_changed_byte_is_noticed(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16];

	for (size_t at = 5; at < 5 + 4 + 1 + 16; at++) {
		connect_to(w, w->ec);
		end_write(&wire->client, "ping");
		wire->up.p[wire->up.at + at] ^= 1;
		assert_int_equal(end_read(&wire->server, text, sizeof text),
		    0);
		expect_failure(&wire->server, "a record was tampered with");
		wire_hang_up(wire);
	}
}

static void
nothing_joins_what_a_broken_socket_holds(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;

	connect_to(w, w->ec);
	wire->down.most = 1;
	end_write(&wire->server, "held");
	assert_false(tls_stream_is_flushed(wire->server.s));
	wire->down.is_broken = true;
	assert_false(tls_stream_flush(wire->server.s));
	assert_int_equal(tls_stream_write(wire->server.s, "more", 4),
	    TLS_BROKEN);
	assert_string_equal(tls_stream_failure(wire->server.s),
	    "the connection is broken");
}

static void
a_reset_is_told_in_the_sockets_words(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	char text[16];

	connect_to(w, w->ec);
	wire->up.is_broken = true;
	end_read(&wire->server, text, sizeof text);
	expect_failure(&wire->server, "connection reset by peer");
	assert_int_equal(tls_stream_write(wire->client.s, "x", 1), TLS_BROKEN);
	assert_string_equal(tls_stream_failure(wire->client.s),
	    "connection reset by peer");
}

/* A peer that asks for new keys again and again, and reads nothing. */
static void
what_the_peer_makes_us_say_is_bounded(void **state)
{
	struct world *w = *state;
	struct wire *wire = w->wire;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	char page[1024], *p;
	size_t n;

	wire_connect(wire, NULL, w->ec, NULL);
	SSL_set_bio(ssl, in, out);
	for (int i = 0; i < 10 && !wire->server.is_done; i++) {
		SSL_connect(ssl);
		n = (size_t)BIO_get_mem_data(out, &p);
		pipe_put(&wire->up, p, n);
		(void)BIO_reset(out);
		end_shake(&wire->server);
		BIO_write(in, wire->down.p, (int)pipe_len(&wire->down));
		wire->down.at = wire->down.n = 0;
	}
	assert_true(wire->server.is_done);

	wire->down.most = 1; /* it is full */
	for (int i = 0; i < 20000 && wire->server.step != TLS_BROKEN; i++) {
		SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(ssl);
		n = (size_t)BIO_get_mem_data(out, &p);
		pipe_put(&wire->up, p, n);
		(void)BIO_reset(out);
		end_read(&wire->server, page, sizeof page);
	}
	assert_int_equal(wire->server.step, TLS_BROKEN);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

#define STREAM_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(both_versions_and_kinds_of_key_shake_hands),
		STREAM_TEST(any_socket_will_do),
		STREAM_TEST(an_address_can_be_verified_and_is_not_asked_for),
		STREAM_TEST(certificates_are_verified),
		STREAM_TEST(wildcards_are_one_whole_label),
		STREAM_TEST(without_verification_anything_goes),
		STREAM_TEST(plain_http_is_told_from_tls),
		STREAM_TEST(garbage_is_refused),
		STREAM_TEST(an_old_version_is_refused),
		STREAM_TEST(megabytes_pass_both_ways),
		STREAM_TEST(a_scratch_page_of_records_is_one_call),
		STREAM_TEST(records_begin_small_and_grow),
		STREAM_TEST(records_are_small_again_after_a_second),
		STREAM_TEST(small_answers_stay_one_record),
		STREAM_TEST(requests_to_upstreams_are_cut_into_full_records),
		STREAM_TEST(a_small_answer_is_one_read_and_one_write),
		STREAM_TEST(what_waits_inside_can_be_read),
		STREAM_TEST(a_full_socket_holds_records_back),
		STREAM_TEST(what_comes_with_the_finished_message_can_be_read),
		STREAM_TEST(close_notify_comes_after_the_data),
		STREAM_TEST(a_client_may_just_go),
		STREAM_TEST(a_server_must_say_that_it_ends),
		STREAM_TEST(an_end_within_a_record_is_broken),
		STREAM_TEST(nothing_joins_what_a_broken_socket_holds),
		STREAM_TEST(an_end_within_the_handshake_is_an_end),
		STREAM_TEST(every_changed_byte_is_noticed),
		STREAM_TEST(a_reset_is_told_in_the_sockets_words),
		STREAM_TEST(what_the_peer_makes_us_say_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
