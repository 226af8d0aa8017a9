/*
 * Sessions with servers: offered while they are good, forgotten when they are
 * not, and never a way around verification.
 */
#include "net/tls_resume.c"

#include "tls_world.h"

static const char yaml[] =
    "sites:\n"
    "  three.test:\n"
    "    certificates: [{certificate: ec.pem, key: ec.key}]\n"
    "  two.test:\n"
    "    protocols: TLSv1.2\n"
    "    certificates: [{certificate: ec.pem, key: ec.key}]\n"
    "upstreams:\n"
    "  up: {ca: ca.pem}\n"
    "  blind: {verify: off}\n"
    "  stranger: {ca: b.pem}\n";

struct world {
	struct arena *arena;
	struct loaded l;
	struct wire *wire;
	struct tls_context *client, *servers[2];
	struct tls_ticket_keys keys;
	struct tls_resume resume;
};

static void
new_keys(struct world *w)
{
	w->keys.n = 0;
	w->keys.lifetime = 365 * DAY;
	assert_true(tls_ticket_keys_rotate(&w->keys, NULL));
	tls_ticket_keys_set(&w->keys);
}

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	clock_fake_start(1000, time(NULL));
	w->arena = arena_new();
	w->l = load_yaml(w->arena, yaml);
	w->client = client_context(&w->l, "up");
	w->servers[0] = site_context(&w->l, "three.test");
	w->servers[1] = site_context(&w->l, "two.test");
	expect_good(&w->l);
	new_keys(w);
	w->wire = wire_new();
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	tls_resume_drop(&w->resume);
	wire_end(w->wire);
	arena_end(w->arena);
	mem_free(w);
	tls_ticket_keys_set(&(struct tls_ticket_keys){0});
	clock_fake_end();
	return 0;
}

static bool
shake(struct world *w, struct tls_context *client, struct tls_context *server)
{
	wire_hang_up(w->wire);
	wire_connect(w->wire, client, server, "a.test");
	tls_resume_offer(&w->resume, w->wire->client.s);
	return wire_shake(w->wire);
}

/* A connection that carries something both ways; whether it was resumed. */
static bool
is_resumed(struct world *w, struct tls_context *server)
{
	struct end *client = &w->wire->client;

	if (!shake(w, w->client, server))
		fail_msg("%s", tls_stream_failure(client->s));
	tls_resume_settle(&w->resume, client->s);
	expect_text(w->wire, client, &w->wire->server, "ping");
	expect_text(w->wire, &w->wire->server, client, "pong");
	assert_int_equal(tls_stream_is_resumed(client->s),
	    tls_stream_is_resumed(w->wire->server.s));
	return tls_stream_is_resumed(client->s);
}

static void
the_next_connection_resumes(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		tls_resume_drop(&w->resume);
		assert_false(is_resumed(w, w->servers[i]));
		assert_non_null(w->resume.session);
		for (int k = 0; k < 5; k++)
			assert_true(is_resumed(w, w->servers[i]));
	}
}

static void
a_session_that_is_not_taken_is_forgotten(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		SSL_SESSION *before;

		assert_false(is_resumed(w, w->servers[i]));
		before = w->resume.session;
		assert_true(SSL_SESSION_up_ref(before));
		new_keys(w);
		assert_false(is_resumed(w, w->servers[i]));
		assert_ptr_not_equal(w->resume.session, before);
		SSL_SESSION_free(before);
		/* And a server that gives none leaves nothing. */
		tls_ticket_keys_set(&(struct tls_ticket_keys){0});
		assert_false(is_resumed(w, w->servers[i]));
		assert_true(w->resume.session == NULL || i == 1);
		new_keys(w);
		tls_resume_drop(&w->resume);
	}
}

static void
it_ends_with_the_certificate_however_often_it_was_renewed(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_false(is_resumed(w, w->servers[i]));
		assert_true(is_resumed(w, w->servers[i]));
		/* The authority and the certificate end after 90 days. */
		assert_in_range(tls_verify_end_of(w->resume.session) -
		    clock_wall(), 90 * DAY - 60, 90 * DAY);
		assert_true(is_resumed(w, w->servers[i]));
		assert_in_range(tls_verify_end_of(w->resume.session) -
		    clock_wall(), 90 * DAY - 60, 90 * DAY);
		SSL_SESSION_set_timeout(w->resume.session, 365 * DAY);
		clock_fake_advance(90ul * DAY * 1000 - 60000);
		assert_true(tls_resume_is_good(w->resume.session));
		clock_fake_advance(60000);
		assert_false(tls_resume_is_good(w->resume.session));
		assert_false(is_resumed(w, w->servers[i]));
		clock_fake_end();
		clock_fake_start(1000, time(NULL));
		tls_resume_drop(&w->resume);
	}
}

/* Whoever is not believed leaves nothing by which the next could be. */
static void
a_refused_server_leaves_no_session(void **state)
{
	struct world *w = *state;
	struct tls_context *stranger = client_context(&w->l, "stranger");

	for (size_t i = 0; i < 2; i++) {
		assert_false(shake(w, stranger, w->servers[i]));
		assert_int_equal(tls_stream_refusal(w->wire->client.s),
		    TLS_REFUSED_BY_US);
		assert_int_equal(tls_stream_refusal(w->wire->server.s),
		    TLS_REFUSED_BY_PEER);
		assert_null(w->resume.session);
	}
}

static void
without_verification_sessions_end_with_their_time(void **state)
{
	struct world *w = *state;

	w->client = client_context(&w->l, "blind");
	assert_false(is_resumed(w, w->servers[0]));
	assert_true(is_resumed(w, w->servers[0]));
	assert_true(tls_verify_end_of(w->resume.session) == INT64_MAX);
	SSL_SESSION_set_timeout(w->resume.session, 10);
	clock_fake_advance(11000);
	assert_false(is_resumed(w, w->servers[0]));
}

static void
plain_connections_have_none(void **state)
{
	struct world *w = *state;

	tls_resume_offer(&w->resume, NULL);
	tls_resume_settle(&w->resume, NULL);
	assert_null(w->resume.session);
}

#define RESUME_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RESUME_TEST(the_next_connection_resumes),
		RESUME_TEST(a_session_that_is_not_taken_is_forgotten),
		RESUME_TEST(
		    it_ends_with_the_certificate_however_often_it_was_renewed),
		RESUME_TEST(a_refused_server_leaves_no_session),
		RESUME_TEST(without_verification_sessions_end_with_their_time),
		RESUME_TEST(plain_connections_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
