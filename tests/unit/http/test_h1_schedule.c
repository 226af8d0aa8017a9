/*
 * Whatever the order in which bytes come, leave, are waited for and are read:
 * every request of a pipeline is answered, in order and in full. Schedules are
 * made by chance, the same ones in every run; a wake that is lost shows as a
 * connection on which nothing moves any more.
 */
#include "h1_world.h"

enum { REQUESTS = 12, SCHEDULES = 400, STEPS = 200000, PATTERN = 600000 };

static uint64_t seed;

static uint32_t
chance(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Mostly small, sometimes around what is copied, collected or shared. */
static size_t
chance_size(void)
{
	static const size_t around[] = { 16384, 65536, 524288 };

	switch (chance(4)) {
	case 0:
		return around[chance(3)] - 20 + chance(40);
	case 1:
		return chance(60000);
	default:
		return chance(200);
	}
}

static char *pattern;

/* As many bytes as the query says; in chunks, if the number is odd. */
static void
reply_sized(struct txn *t)
{
	uint64_t n = 0;
	struct flow *f;

	assert_true(str_to_u64(t->req.target.query, &n));
	txn_reply(t, 200);
	f = flow_bytes(t->arena, str_of(pattern, n));
	if (n % 2 == 1)
		f->length = -1;
	txn_reply_body(t, f);
}

static void
put_request(struct buf *b, size_t answer)
{
	static const char *const paths[] = { "now", "wait", "pull" };
	size_t body = chance(3) == 0 ? chance_size() : chance(100);

	/* One that nobody reads has to be short for the rest to be read. */
	buf_printf(b, "POST /%s?%zu HTTP/1.1\r\n" H, paths[chance(3)], answer);
	body = body < 60000 ? body : 60000;
	if (chance(2) == 0) {
		buf_printf(b, "Content-Length: %zu\r\n\r\n", body);
		buf_put(b, pattern, body);
		return;
	}
	buf_z(b, "Transfer-Encoding: chunked\r\n\r\n");
	while (body > 0) {
		size_t piece = 1 + chance((uint32_t)body);

		buf_printf(b, "%zx\r\n", piece);
		buf_put(b, pattern, piece);
		buf_z(b, "\r\n");
		body -= piece;
	}
	buf_z(b, "0\r\n\r\n");
}

/* ---- one schedule ------------------------------------------------------ */

static void
resume_who_waits(struct world *w)
{
	struct h1 *h = h1_only(w);

	/* Who pulls is resumed by its body, or that was lost. */
	if (h->x != NULL && h->x->txn->waiting &&
	    str_eq(h->x->txn->req.path, STR("/wait")))
		txn_resume(h->x->txn);
}

/* Until all of it has been sent and nothing comes any more, or for STEPS. */
static size_t
play(struct world *w, struct str all, unsigned steps)
{
	size_t sent = 0, idle = 0;

	for (unsigned i = 0; i < steps && idle < 200; i++) {
		size_t n = chance(3) == 0 ? 1 + chance(70000) : 1 + chance(40);
		ssize_t got = 0;

		idle++;
		switch (chance(4)) {
		case 0:
			if (n > all.n - sent)
				n = all.n - sent;
			if (n > 0)
				got = send(w->fd, all.p + sent, n,
				    MSG_NOSIGNAL);
			if (got > 0)
				sent += (size_t)got;
			break;
		case 1:
			got = listen_some(w, n);
			break;
		case 2:
			resume_who_waits(w);
			break;
		default:
			loop_tick(w->loop, 0);
		}
		if (got > 0)
			idle = 0;
	}
	return sent;
}

/* Takes a response with N bytes of body off P. */
static const char *
expect_response(const char *p, size_t n)
{
	const char *body = strstr(p, "\r\n\r\n");
	char *end;

	assert_memory_equal(p, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(body);
	body += 4;
	if (n % 2 == 0) {
		const char *field = strstr(p, "Content-Length: ");

		assert_true(field != NULL && field < body);
		assert_int_equal(strtoul(field + 16, NULL, 10), n);
		assert_memory_equal(body, pattern, n);
		return body + n;
	}
	for (size_t at = 0, piece; ; at += piece) {
		piece = strtoul(body, &end, 16);
		assert_memory_equal(end, "\r\n", 2);
		if (piece == 0) {
			assert_int_equal(at, n);
			assert_memory_equal(end + 2, "\r\n", 2);
			return end + 4;
		}
		assert_true(piece <= n - at);
		assert_memory_equal(end + 2, pattern + at, piece);
		assert_memory_equal(end + 2 + piece, "\r\n", 2);
		body = end + 2 + piece + 2;
	}
}

/* Requests whose answers have these sizes, and a connection for them. */
static struct str
prepare(struct world *w, struct arena *a, size_t answers[REQUESTS])
{
	struct buf all = buf_in(a);

	for (int i = 0; i < REQUESTS; i++) {
		answers[i] = chance_size();
		put_request(&all, answers[i]);
	}
	client_with(w, chance(2) == 0 ? 0 : (int)(2000 + chance(20000)));
	return buf_view(&all);
}

static void
play_whole(struct world *w)
{
	struct arena *a = arena_new();
	size_t answers[REQUESTS];
	struct str all = prepare(w, a, answers);
	const char *p;

	assert_int_equal(play(w, all, STEPS), all.n);
	buf_chr(&w->in, '\0');
	p = w->in.p;
	for (int i = 0; i < REQUESTS; i++)
		p = expect_response(p, answers[i]);
	assert_ptr_equal(p, w->in.p + w->in.n - 1);
	assert_int_equal(h1_only(w)->state, H1_IDLE);
	close(w->fd);
	w->fd = -1;
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	w->pulled.n = w->log.n = 0;
	arena_end(a);
}

/* The client leaves at some point, by FIN or, with bytes unread, by a reset. */
static void
play_part(struct world *w)
{
	struct arena *a = arena_new();
	size_t answers[REQUESTS];
	struct str all = prepare(w, a, answers);

	play(w, all, chance(400));
	if (chance(2) == 0) {
		shutdown(w->fd, SHUT_WR);
	} else {
		close(w->fd);
		w->fd = -1;
	}
	run(w);
	for (int i = 0; i < 20 && w->server->n_conns > 0; i++) {
		resume_who_waits(w);
		run(w);
		/* Whoever reads nothing meets send_timeout. */
		if (w->server->n_conns > 0)
			pass(w, 30000);
	}
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->stats.in_flight, 0);
	w->pulled.n = w->log.n = 0;
	arena_end(a);
}

static struct world *
scheduled_world(void)
{
	struct world *w = world_new("");

	pattern = arena_alloc(w->arena, PATTERN);
	for (size_t i = 0; i < PATTERN; i++)
		pattern[i] = (char)('a' + (i * 7 + i / 251) % 26);
	w->reply = reply_sized;
	return w;
}

static void
h1_answers_everything_whatever_the_schedule(void **state)
{
	struct world *w = scheduled_world();

	(void)state;
	seed = 0;
	for (int i = 0; i < SCHEDULES; i++)
		play_whole(w);
	assert_int_equal(w->stats.requests, SCHEDULES * REQUESTS);
	world_end(w);
}

static void
h1_lets_go_of_everything_whenever_the_client_leaves(void **state)
{
	struct world *w = scheduled_world();

	(void)state;
	seed = 0;
	for (int i = 0; i < SCHEDULES; i++)
		play_part(w);
	assert_in_range(w->stats.requests, SCHEDULES, SCHEDULES * REQUESTS);
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h1_answers_everything_whatever_the_schedule),
		cmocka_unit_test(
		    h1_lets_go_of_everything_whenever_the_client_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
