/*
 * Loops: requests that Weir passes to itself. Which servers are ourselves is
 * found out once, before workers run: a server whose address is one of those
 * that the generation listens on. Only what goes there carries the mark, a
 * random word of the generation and a count; what goes anywhere else pays one
 * look at a flag and shows nothing of it. As a hop-by-hop field the mark ends
 * with each hop, and a client cannot know the word.
 *
 * A count and not "seen before": sites of one instance may well be chained, and
 * a request may pass the same route twice with another Host. Loops that lead
 * through other machines are theirs to mark, as with Via.
 */
#include "upstream/loop_mark.h"

#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOP_MARK_WORD 16 /* random bytes */

/* ---- whose address is it ----------------------------------------------- */

static bool
loop_mark_is_any(const struct peer *p)
{
	static const uint8_t zero[16];

	return memcmp(p->ip, zero, sizeof zero) == 0;
}

static bool
loop_mark_is_loopback(const struct peer *p)
{
	static const uint8_t one[16] = {[15] = 1};

	if (p->family == AF_INET)
		return p->ip[0] == 127;
	return memcmp(p->ip, one, sizeof one) == 0;
}

/*
 * Whether a connection to TO arrives at a socket bound to LISTEN. IS_HERE: TO
 * is known to be an address of this machine.
 */
static bool
loop_mark_meets(const struct addr *listen, const struct addr *to, bool is_here)
{
	struct peer l = peer_from(listen), p = peer_from(to);

	if (l.family == AF_UNIX || p.family == AF_UNIX)
		return addr_eq(listen, to);
	if (l.port != p.port)
		return false;
	/* Who connects to "any" connects to the loopback. */
	if (loop_mark_is_any(&p))
		return loop_mark_is_any(&l) || loop_mark_is_loopback(&l);
	if (loop_mark_is_any(&l))
		return (is_here || loop_mark_is_loopback(&p)) &&
		    (l.family == AF_INET6 || p.family == AF_INET);
	return l.family == p.family && memcmp(l.ip, p.ip, sizeof l.ip) == 0;
}

/* ---- before workers run ------------------------------------------------ */

/*
 * Whether A is an address of this machine: then it is also what we would be
 * seen as from there. Connecting a datagram socket sends nothing; a list of the
 * interfaces would need a family of sockets that the unit of systemd denies.
 */
static bool
loop_mark_is_here(const struct addr *a)
{
	struct addr from = {.len = sizeof from.in6};
	struct peer to = peer_from(a), own;
	int fd;

	if (to.family == AF_UNIX)
		return false;
	fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (connect(fd, &a->sa, a->len) != 0 ||
	    getsockname(fd, &from.sa, &from.len) != 0) {
		close(fd);
		return false;
	}
	close(fd);
	own = peer_from(&from);
	return own.family == to.family &&
	    memcmp(own.ip, to.ip, sizeof to.ip) == 0;
}

/* The same socket may have several paths. */
static bool
loop_mark_is_same_file(const struct addr *a, const struct addr *b)
{
	struct stat x, y;

	return a->sa.sa_family == AF_UNIX && b->sa.sa_family == AF_UNIX &&
	    stat(a->un.sun_path, &x) == 0 && stat(b->un.sun_path, &y) == 0 &&
	    x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool
loop_mark_is_own(const struct generation *g, const struct upstream_server *s)
{
	for (unsigned k = 0; k < s->n_addrs; k++) {
		const struct addr *to = &s->addrs[k];
		bool is_here = loop_mark_is_here(to);

		for (size_t i = 0; i < g->n_endpoints; i++) {
			const struct addr *listen = &g->endpoints[i]->addr;

			if (loop_mark_meets(listen, to, is_here) ||
			    loop_mark_is_same_file(listen, to))
				return true;
		}
	}
	return false;
}

/* A weak word would let a client end its own request early: no reason to fail
 * where random bytes are not to be had. */
static struct str
loop_mark_make_word(struct arena *a)
{
	unsigned char raw[LOOP_MARK_WORD] = {0};
	struct buf text = buf_in(a);

	(void)RAND_bytes(raw, sizeof raw);
	for (size_t i = 0; i < sizeof raw; i++)
		buf_printf(&text, "%02x", raw[i]);
	return buf_view(&text);
}

void
loop_marks_prepare(struct generation *g)
{
	struct str word = loop_mark_make_word(g->arena);

	for (size_t i = 0; i < upstreams_count(g); i++) {
		struct upstream_group *group = upstreams_at(g, i);

		for (unsigned k = 0; k < group->n_servers; k++) {
			struct upstream_server *s = &group->servers[k];

			s->is_own = loop_mark_is_own(g, s);
			if (s->is_own)
				group->loop_word = word;
		}
	}
}

/* ---- per request ------------------------------------------------------- */

/* How often T has come by before: "word 3". */
static unsigned
loop_mark_count(const struct txn *t, struct str word)
{
	struct str value = head_value(&t->req.head, FIELD_WEIR_LOOP);
	uint64_t n;

	if (value.n <= word.n || !str_has_prefix(value, word) ||
	    value.p[word.n] != ' ' ||
	    !str_to_u64(str_slice(value, word.n + 1, value.n), &n))
		return 0;
	return n < LOOP_MARK_MAX ? (unsigned)n : LOOP_MARK_MAX;
}

bool
loop_mark_allows(const struct txn *t, const struct upstream_group *g)
{
	return g->loop_word.n == 0 ||
	    loop_mark_count(t, g->loop_word) < LOOP_MARK_MAX;
}

struct str
loop_mark_value(const struct txn *t, const struct upstream_group *g,
    unsigned server)
{
	if (!g->servers[server].is_own)
		return str_of("", 0);
	return arena_strf(t->arena, "%.*s %u", STR_ARG(g->loop_word),
	    loop_mark_count(t, g->loop_word) + 1);
}

/* ---- the lint ---------------------------------------------------------- */

/* Where S is, as far as that is known without asking anybody. */
static struct addr
loop_mark_known(const struct upstream_server *s)
{
	struct addr loopback = {
		.len = sizeof loopback.in,
		.in = {.sin_family = AF_INET, .sin_port = htons(s->port),
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}
	};

	if (s->name.n == 0)
		return s->addrs[0];
	if (str_case_eq(s->name, STR("localhost")))
		return loopback;
	return (struct addr){0};
}

static bool
loop_mark_is_among(const struct conf_list *addrs, const struct addr *to)
{
	for (CONF_EACH(struct addr, listen, addrs))
		if (to->len > 0 && loop_mark_meets(listen, to, false))
			return true;
	return false;
}

void
loop_mark_lint(struct conf_load *load, const struct site_conf *site,
    const struct upstream_group *g, struct conf_pos pos)
{
	for (unsigned k = 0; site->listen != NULL && k < g->n_servers; k++) {
		const struct upstream_server *s = &g->servers[k];
		struct addr to = loop_mark_known(s);

		if (!loop_mark_is_among(&site->listen->http, &to) &&
		    !loop_mark_is_among(&site->listen->https, &to))
			continue;
		conf_warning(load, pos, "proxy-loop",
		    "this site listens on %.*s itself: what is passed there "
		    "comes back to it, and is answered 508", STR_ARG(s->text));
		return;
	}
}
