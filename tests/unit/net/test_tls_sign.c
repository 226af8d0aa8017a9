/*
 * Slow keys: handshakes wait for a thread, the loop for nobody, and whoever
 * goes away meanwhile leaves nothing behind.
 */
#include "net/tls_sign.c"

#define TLS_WORLD_HEARS
#include "tls_world.h"

#define CROWD (TLS_SIGN_FIBRES + 8)

static const char yaml[] =
    "sites:\n"
    "  a.test:\n"
    "    certificates: [{certificate: slow.pem, key: slow.key}]\n"
    "  old.test:\n"
    "    protocols: TLSv1.2\n"
    "    certificates: [{certificate: slow.pem, key: slow.key}]\n"
    "  older.test:\n"
    "    protocols: TLSv1.2\n"
    "    ciphers: AES128-GCM-SHA256\n"
    "    certificates: [{certificate: slow.pem, key: slow.key}]\n"
    "  fast.test:\n"
    "    certificates: [{certificate: rsa.pem, key: rsa.key}]\n"
    "  asks.test:\n"
    "    client: {verify: required, ca: ca.pem}\n"
    "    certificates: [{certificate: rsa.pem, key: rsa.key}]\n"
    "upstreams:\n"
    "  up: {ca: ca.pem, ciphers: DEFAULT}\n"
    "  known: {ca: ca.pem, certificate: slow.pem, key: slow.key}\n";

static const char *const names[] = {
	"a.test", "old.test", "older.test", "fast.test", "asks.test"
};

struct world {
	struct arena *arena;
	struct loaded l;
	struct loop_stats loop_stats;
	struct loop *loop;
	struct wire *wire;
	struct tls_context *client, *known, *front, *sites[COUNT_OF(names)];
	struct tls_ticket_keys keys;
};

/* The last connection that was told to go on. */
static struct conn *told;

void
handshake_queue(struct conn *c)
{
	told = c;
}

static struct tls_context *
choose(void *arg, struct str name)
{
	struct world *w = arg;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (str_eq(name, str_from(names[i])))
			return w->sites[i];
	return NULL;
}

static struct loaded
load(struct arena *a)
{
	static const char all[] = "DNS:a.test,DNS:old.test,DNS:older.test,"
	    "DNS:fast.test,DNS:asks.test";
	const char *files[] = {
		"t.yaml", yaml,
		"slow.pem", good_certificate(a, KEY_SLOW, all),
		"slow.key", key_text(a, KEY_SLOW, NULL),
		"rsa.pem", good_certificate(a, KEY_RSA, all),
		"rsa.key", key_text(a, KEY_RSA, NULL),
		"ca.pem", authority(a),
		NULL
	};

	return load_files(a, files);
}

static struct wire *
world_wire(struct world *w)
{
	struct wire *wire = wire_new();

	wire->net->loop = w->loop;
	return wire;
}

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);
	struct err e;

	told = NULL;
	clock_update();
	w->arena = arena_new();
	w->l = load(w->arena);
	w->client = client_context(&w->l, "up");
	w->known = client_context(&w->l, "known");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		w->sites[i] = site_context(&w->l, names[i]);
	w->front = tls_context_front(w->arena, choose, w, NULL);
	expect_good(&w->l);
	w->keys.lifetime = DAY;
	assert_true(tls_ticket_keys_rotate(&w->keys, NULL));
	tls_ticket_keys_set(&w->keys);
	w->loop = loop_new(&w->loop_stats, &e);
	assert_non_null(w->loop);
	w->wire = world_wire(w);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	wire_hang_up(w->wire);
	tls_sign_stop(w->wire->net);
	wire_end(w->wire);
	loop_end(w->loop);
	arena_end(w->arena);
	mem_free(w);
	return 0;
}

/* ---- what is looked at ------------------------------------------------- */

static uint64_t
jobs(const struct world *w)
{
	const struct tls_signer *signer = w->wire->net->signer;

	return signer == NULL ? 0 : signer->stats.jobs;
}

static size_t
paused(const struct world *w)
{
	return w->wire->net->signer->n_paused;
}

/* What the thread is through with is heard of. */
static void
listen_once(struct world *w)
{
	clock_update();
	loop_tick(w->loop, 10);
}

static bool
is_open(const struct wire *wire)
{
	return !wire->client.is_done || !wire->server.is_done;
}

static void
shake(struct world *w, struct wire *wire)
{
	for (int i = 0; i < 1000 && is_open(wire); i++) {
		end_shake(&wire->client);
		end_shake(&wire->server);
		if (w->wire->net->signer != NULL && paused(w) > 0)
			listen_once(w);
	}
	if (is_open(wire))
		fail_msg("client: %s; server: %s",
		    tls_stream_failure(wire->client.s),
		    tls_stream_failure(wire->server.s));
	expect_text(wire, &wire->client, &wire->server, "ping");
	expect_text(wire, &wire->server, &wire->client, "pong");
}

/* As far as to the signature. */
static void
ask(const struct world *w, struct wire *wire, const char *name)
{
	wire_connect(wire, w->client, w->front, name);
	end_shake(&wire->client);
	end_shake(&wire->server);
	assert_int_equal(wire->server.step, TLS_AGAIN);
}

/* ---- handshakes -------------------------------------------------------- */

static void
a_slow_key_signs_in_the_thread_while_the_loop_goes_on(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		ask(w, w->wire, names[i]);
		assert_int_equal(paused(w), 1);
		/* Asked again it is still not there, and harmless. */
		end_shake(&w->wire->server);
		assert_int_equal(w->wire->server.step, TLS_AGAIN);
		shake(w, w->wire);
		assert_int_equal(paused(w), 0);
		assert_int_equal(jobs(w), i + 1);
		wire_hang_up(w->wire);
	}
}

/* OpenSSL has no way to decrypt with keys of their own method. */
static void
where_the_key_has_to_decrypt_the_loop_does(void **state)
{
	struct world *w = *state;

	wire_connect(w->wire, w->client, w->front, "older.test");
	shake(w, w->wire);
	assert_string_equal(tls_stream_cipher(w->wire->server.s),
	    "AES128-GCM-SHA256");
	assert_int_equal(jobs(w), 0);
}

static void
the_thread_signs_for_clients_too(void **state)
{
	struct world *w = *state;

	wire_connect(w->wire, w->known, w->front, "asks.test");
	shake(w, w->wire);
	assert_int_equal(jobs(w), 1);
}

static void
a_fast_key_needs_no_thread(void **state)
{
	struct world *w = *state;

	wire_connect(w->wire, w->client, w->front, "fast.test");
	shake(w, w->wire);
	assert_null(w->wire->net->signer);
}

static void
without_a_thread_the_loop_signs(void **state)
{
	struct world *w = *state;
	struct rlimit limit, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	wire_connect(w->wire, w->client, w->front, "a.test");
	shake(w, w->wire);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_null(w->wire->net->signer);
}

/* ---- crowds ------------------------------------------------------------ */

/* One that shares the process with the world's. */
static struct wire *
neighbour(struct world *w)
{
	struct wire *wire = wire_new();

	net_end(wire->net);
	wire->net = w->wire->net;
	return wire;
}

static void
neighbour_end(struct wire *wire)
{
	wire_hang_up(wire);
	mem_free(wire);
}

static void
gather(struct world *w, struct wire **crowd)
{
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = neighbour(w);
		ask(w, crowd[i], "a.test");
	}
	assert_int_equal(paused(w), TLS_SIGN_FIBRES);
}

static void
a_crowd_waits_without_fibres_until_it_is_its_turn(void **state)
{
	struct world *w = *state;
	struct wire *crowd[CROWD];

	gather(w, crowd);
	for (size_t i = 0; i < CROWD; i++)
		shake(w, crowd[i]);
	assert_int_equal(jobs(w), CROWD);
	assert_int_equal(paused(w), 0);
	for (size_t i = 0; i < CROWD; i++)
		neighbour_end(crowd[i]);
}

static void
who_waits_without_a_fibre_may_go_away(void **state)
{
	struct world *w = *state;
	struct wire *crowd[CROWD];

	gather(w, crowd);
	for (size_t i = CROWD; i-- > 0;)
		neighbour_end(crowd[i]);
	assert_true(list_is_empty(&w->wire->net->signer->waiting));
	while (paused(w) > 0)
		listen_once(w);
	assert_int_equal(jobs(w), TLS_SIGN_FIBRES);
}

/* Whoever is let in is told; who has no use for it passes it on. */
static void
a_free_fibre_is_for_the_next_who_is_still_there(void **state)
{
	struct world *w = *state;
	struct wire *crowd[CROWD];

	gather(w, crowd);
	crowd[TLS_SIGN_FIBRES]->server.conn.closing = true;
	told = NULL;
	while (told == NULL) {
		listen_once(w);
		end_shake(&crowd[0]->server);
	}
	assert_ptr_equal(told, &crowd[TLS_SIGN_FIBRES + 1]->server.conn);
	neighbour_end(crowd[TLS_SIGN_FIBRES + 1]);
	assert_ptr_equal(told, &crowd[TLS_SIGN_FIBRES + 2]->server.conn);
	crowd[TLS_SIGN_FIBRES + 1] = NULL;
	for (size_t i = 0; i < CROWD; i++)
		if (crowd[i] != NULL)
			neighbour_end(crowd[i]);
	while (paused(w) > 0)
		listen_once(w);
}

/* ---- ends -------------------------------------------------------------- */

static void
who_goes_away_meanwhile_leaves_nothing(void **state)
{
	struct world *w = *state;

	ask(w, w->wire, "a.test");
	wire_hang_up(w->wire);
	assert_int_equal(paused(w), 1);
	while (paused(w) > 0)
		listen_once(w);
}

/* Its connection is closed, but not yet reaped, when the thread is through. */
static void
who_goes_away_after_the_signature_leaves_nothing(void **state)
{
	struct world *w = *state;

	ask(w, w->wire, "a.test");
	w->wire->server.conn.closing = true;
	while (pool_busy(w->wire->net->signer->pool) > 0)
		listen_once(w);
	assert_int_equal(paused(w), 1);
	assert_null(told);
	wire_hang_up(w->wire);
	assert_int_equal(paused(w), 0);
}

static void
a_process_that_ends_waits_for_no_signature(void **state)
{
	struct world *w = *state;

	ask(w, w->wire, "a.test");
	wire_hang_up(w->wire);
	tls_sign_stop(w->wire->net);
	assert_null(w->wire->net->signer);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_slow_key_signs_in_the_thread_while_the_loop_goes_on),
		T(where_the_key_has_to_decrypt_the_loop_does),
		T(the_thread_signs_for_clients_too),
		T(a_fast_key_needs_no_thread),
		T(without_a_thread_the_loop_signs),
		T(a_crowd_waits_without_fibres_until_it_is_its_turn),
		T(who_waits_without_a_fibre_may_go_away),
		T(a_free_fibre_is_for_the_next_who_is_still_there),
		T(who_goes_away_meanwhile_leaves_nothing),
		T(who_goes_away_after_the_signature_leaves_nothing),
		T(a_process_that_ends_waits_for_no_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
