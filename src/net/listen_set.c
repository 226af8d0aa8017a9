/*
 * The listening sockets of an instance, in the master, over generations. An
 * address keeps its sockets as long as generations name it, so that nothing
 * which waits in their queues is lost; what a generation changes is done in a
 * way that can be undone until it serves:
 *
 *   begin     nothing is named yet
 *   open      new sockets are added; of those that have become too many the
 *             kernel is told to fill no more, while the old workers empty them
 *   sweep     the generation serves: what nobody named or needs is ended
 *   rollback  it does not: what was added is ended
 *
 * The set never accepts and never reads from a connection.
 */
#include "net/listener.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/panic.h"
#include "net/listen_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEMD_FIRST 3 /* sd_listen_fds(3): SD_LISTEN_FDS_START */

/* How the sockets of an address are to be: what a generation says of it. */
struct listen_plan {
	int *fds; /* n of them */
	size_t n;
	int64_t backlog;
	int steer; /* enum listen_steer */
};

/* An address and its sockets. */
struct listen_entry {
	struct list link;
	struct addr addr;
	struct listen_plan now;
	/* What was before the generation that is being opened; fds NULL when
	 * it has not been touched. */
	struct listen_plan before;
	bool is_named;
	bool is_new;
	/* Came over exec(2), and may still be another process's as well. */
	bool is_inherited;
	/* Of a unix socket that we made: whether the path is still ours. */
	pid_t maker;
	dev_t dev;
	ino_t ino;
};

struct listen_set {
	struct list entries;
};

/* ---- entries ----------------------------------------------------------- */

static struct listen_entry *
listen_entry_of(struct list *link)
{
	return LIST_ITEM(link, struct listen_entry, link);
}

static struct listen_entry *
listen_entry_new(struct listen_set *s, const struct addr *a)
{
	struct listen_entry *en = mem_zalloc(sizeof *en);

	en->addr = *a;
	list_push_back(&s->entries, &en->link);
	return en;
}

static void
listen_entry_remember_path(struct listen_entry *en)
{
	struct stat st;

	if (en->addr.sa.sa_family != AF_UNIX ||
	    lstat(en->addr.un.sun_path, &st) != 0)
		return;
	en->maker = getpid();
	en->dev = st.st_dev;
	en->ino = st.st_ino;
}

/* Only who made the path removes it, and only if it is still that one. */
static void
listen_entry_remove_path(const struct listen_entry *en)
{
	struct stat st;

	if (en->maker != getpid())
		return;
	if (lstat(en->addr.un.sun_path, &st) == 0 &&
	    st.st_dev == en->dev && st.st_ino == en->ino)
		(void)unlink(en->addr.un.sun_path);
}

static void
listen_entry_free(struct listen_entry *en)
{
	list_remove(&en->link);
	mem_free(en->before.fds);
	mem_free(en->now.fds);
	mem_free(en);
}

/*
 * Ends sockets FROM.. of P, the last first: the kernel keeps their order by
 * filling a gap with the last, and the steering programs count on the order.
 */
static void
listen_entry_end_sockets(const struct listen_entry *en,
    const struct listen_plan *p, size_t from)
{
	for (size_t i = p->n; i-- > from;) {
		if (en->is_inherited)
			close(p->fds[i]);
		else
			listen_socket_end(p->fds[i]);
	}
}

static void
listen_entry_end(struct listen_entry *en)
{
	listen_entry_remove_path(en);
	listen_entry_end_sockets(en, &en->now, 0);
	listen_entry_free(en);
}

static int *
listen_fds_copy(const int *fds, size_t n, size_t cap)
{
	int *copy = mem_alloc((cap > 0 ? cap : 1) * sizeof *copy);

	if (n > 0)
		memcpy(copy, fds, n * sizeof *copy);
	return copy;
}

/* Of TOTAL sockets the first N are to be filled. */
static bool
listen_entry_steer(const struct listen_entry *en, const int *fds, int steer,
    size_t n, size_t total)
{
	return en->addr.sa.sa_family == AF_UNIX || total < 2 ||
	    listen_socket_steer(fds[0], (enum listen_steer)steer, n, total);
}

/* ---- the set ----------------------------------------------------------- */

struct listen_set *
listen_set_new(void)
{
	struct listen_set *s = mem_zalloc(sizeof *s);

	list_init(&s->entries);
	return s;
}

void
listen_set_hand_over(struct listen_set *s)
{
	LIST_EACH(link, &s->entries)
		listen_entry_of(link)->maker = 0;
	listen_set_end(s);
}

/* No shutdown(2): another process may have them too, by an upgrade. */
void
listen_set_end(struct listen_set *s)
{
	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		en->is_inherited = true;
		listen_entry_end(en);
	}
	mem_free(s);
}

static struct listen_entry *
listen_set_find(struct listen_set *s, const struct addr *a)
{
	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		if (addr_eq(&en->addr, a))
			return en;
	}
	return NULL;
}

/* Whether sockets of ours have the same port of another address: [::]:80 and
 * 10.0.0.1:80, say, which the kernel lets stand beside each other only then. */
static bool
listen_set_has_port(struct listen_set *s, const struct addr *a)
{
	uint16_t port = peer_from(a).port;

	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		if (en->addr.sa.sa_family != AF_UNIX && en->now.n > 0 &&
		    peer_from(&en->addr).port == port)
			return true;
	}
	return false;
}

/* ---- opening ----------------------------------------------------------- */

/* Fills P->fds up to WANT sockets; on failure those that were added are gone
 * again. */
static bool
listen_set_grow(struct listen_set *s, struct listen_entry *en,
    struct listen_plan *p, size_t want, struct err *e)
{
	bool joins = en->addr.sa.sa_family != AF_UNIX &&
	    (p->n > 0 || listen_set_has_port(s, &en->addr));
	size_t had = p->n;

	while (p->n < want) {
		int fd = listen_socket_open(&en->addr,
		    joins ? LISTEN_JOINS : LISTEN_ALONE, p->backlog, e);

		if (fd < 0) {
			listen_entry_end_sockets(en, p, had);
			p->n = had;
			return false;
		}
		p->fds[p->n++] = fd;
		joins = true;
	}
	return true;
}

static bool
listen_set_open_new(struct listen_set *s, const struct endpoint *ep,
    size_t want, struct err *e)
{
	struct listen_entry *en = listen_entry_new(s, &ep->addr);
	struct listen_plan *p = &en->now;

	en->is_new = true;
	p->fds = listen_fds_copy(NULL, 0, want);
	p->backlog = ep->conf->backlog;
	p->steer = ep->conf->steer;
	if (!listen_set_grow(s, en, p, want, e))
		goto fail;
	listen_entry_remember_path(en);
	if (!listen_entry_steer(en, p->fds, p->steer, p->n, p->n)) {
		err_sys(e, "cannot steer connections");
		goto fail;
	}
	return true;

fail:
	listen_entry_end(en);
	return false;
}

/*
 * Until it is known which workers serve, the kernel may fill only what the old
 * ones empty and the new ones will have: then neither a rollback nor a sweep
 * ends a socket that anybody waits in.
 */
static bool
listen_set_resize(struct listen_set *s, struct listen_entry *en,
    struct listen_plan *new, size_t want, struct err *e)
{
	const struct listen_plan *old = &en->now;
	size_t most = old->n > want ? old->n : want;
	int on = 1;

	/* Sockets of systemd come without. */
	if (want > old->n)
		(void)setsockopt(old->fds[0], SOL_SOCKET, SO_REUSEPORT, &on,
		    sizeof on);
	(void)listen_entry_steer(en, old->fds, old->steer, new->n, most);
	if (!listen_set_grow(s, en, new, want, e)) {
		(void)listen_entry_steer(en, old->fds, old->steer, old->n,
		    old->n);
		return false;
	}
	/* Again: what stood alone before could have no program. */
	if (old->n == 1)
		(void)listen_entry_steer(en, old->fds, old->steer, 1, most);
	return true;
}

static bool
listen_set_change(struct listen_set *s, struct listen_entry *en,
    const struct endpoint *ep, size_t want, struct err *e)
{
	struct listen_plan new = {
		.n = en->now.n < want ? en->now.n : want,
		.backlog = ep->conf->backlog, .steer = ep->conf->steer
	};

	if (en->is_inherited) /* how it was steered, nobody says */
		en->now.steer = new.steer;
	new.fds = listen_fds_copy(en->now.fds, new.n, want);
	if (en->now.n != want && !listen_set_resize(s, en, &new, want, e)) {
		if (!en->is_inherited) {
			mem_free(new.fds);
			return false;
		}
		/* Whom we have it from may be another user, whose port cannot
		 * be joined. */
		log_warn("listen %s: %s; the workers share what was inherited",
		    ep->text, e->text);
	}
	en->before = en->now;
	en->now = new;
	return true;
}

static size_t
listen_set_want(const struct endpoint *ep, size_t n)
{
	return ep->addr.sa.sa_family == AF_UNIX || !ep->conf->reuse ? 1 : n;
}

bool
listen_set_open(struct listen_set *s, struct endpoint *ep, size_t n,
    struct err *e)
{
	struct listen_entry *en = listen_set_find(s, &ep->addr);
	size_t want = listen_set_want(ep, n);
	bool ok = true;

	ASSERT(n > 0);
	if (en == NULL) {
		ok = listen_set_open_new(s, ep, want, e);
		en = listen_set_find(s, &ep->addr);
	} else if (!en->is_named) {
		ok = listen_set_change(s, en, ep, want, e);
	}
	if (!ok)
		return err_wrap(e, "listen %s", ep->text);
	en->is_named = true;
	ep->fds = en->now.fds;
	ep->n_fds = en->now.n;
	return true;
}

/* ---- generations ------------------------------------------------------- */

static void
listen_entry_settle(struct listen_entry *en)
{
	struct listen_plan *p = &en->now, *old = &en->before;
	size_t total;

	en->is_new = false;
	if (old->fds == NULL)
		return;
	if (old->n > p->n)
		listen_entry_end_sockets(en, old, p->n);
	/* Inherited ones that are given up live on in the other process. */
	total = en->is_inherited && old->n > p->n ? old->n : p->n;
	if (!listen_entry_steer(en, p->fds, p->steer, p->n, total))
		log_warn("cannot steer connections between workers: %s",
		    strerror(errno));
	for (size_t i = 0; i < p->n && p->backlog != old->backlog; i++)
		(void)listen(p->fds[i], (int)p->backlog);
	mem_free(old->fds);
	*old = (struct listen_plan){ .fds = NULL };
}

void
listen_set_begin(struct listen_set *s)
{
	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		listen_entry_settle(en);
		en->is_named = false;
	}
}

void
listen_set_sweep(struct listen_set *s)
{
	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		if (!en->is_named) {
			/* Whom we have it from may still serve there. */
			if (en->is_inherited)
				en->maker = 0;
			listen_entry_end(en);
			continue;
		}
		listen_entry_settle(en);
		en->is_inherited = false;
	}
}

static void
listen_entry_restore(struct listen_entry *en)
{
	struct listen_plan *p = &en->now, *old = &en->before;

	if (old->fds == NULL)
		return;
	/* What was inherited is shared, what was added to it is not. */
	for (size_t i = p->n; i-- > old->n;)
		listen_socket_end(p->fds[i]);
	mem_free(p->fds);
	*p = *old;
	*old = (struct listen_plan){ .fds = NULL };
	(void)listen_entry_steer(en, p->fds, p->steer, p->n, p->n);
}

void
listen_set_rollback(struct listen_set *s)
{
	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		en->is_named = true;
		if (en->is_new)
			listen_entry_end(en);
		else
			listen_entry_restore(en);
	}
}

/* ---- over exec --------------------------------------------------------- */

char *
listen_set_export(struct listen_set *s, struct arena *a)
{
	struct buf b = buf_in(a);

	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);
		const struct listen_plan *p = en->before.n > en->now.n ?
		    &en->before : &en->now;

		for (size_t i = 0; i < p->n; i++)
			buf_printf(&b, "%s%d", b.n > 0 ? ";" : "", p->fds[i]);
	}
	buf_chr(&b, '\0');
	return b.p;
}

static bool
listen_set_adopt_fd(struct listen_set *s, int fd, struct err *e)
{
	struct addr a = { .len = sizeof a.un };
	struct listen_entry *en;
	int listens = 0;
	socklen_t len = sizeof listens;
	int *fds;

	if (getsockname(fd, &a.sa, &a.len) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0)
		return err_sys(e, "inherited descriptor %d", fd);
	if (!listens || (a.sa.sa_family != AF_INET &&
	        a.sa.sa_family != AF_INET6 && a.sa.sa_family != AF_UNIX))
		return err_set(e, "inherited descriptor %d is not a listening "
		    "socket", fd);
	/* systemd's are blocking, and both kinds came through exec(2). */
	if (!fd_set_cloexec(fd, true) || !fd_set_nonblocking(fd, true))
		return err_sys(e, "inherited descriptor %d", fd);

	en = listen_set_find(s, &a);
	if (en == NULL)
		en = listen_entry_new(s, &a);
	en->is_inherited = true;
	en->is_named = true;
	fds = listen_fds_copy(en->now.fds, en->now.n, en->now.n + 1);
	fds[en->now.n++] = fd;
	mem_free(en->now.fds);
	en->now.fds = fds;
	return true;
}

/* sd_listen_fds(3), whose variables are for this process only. */
static bool
listen_set_adopt_systemd(struct listen_set *s, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t who, n;

	if (pid == NULL || fds == NULL || !str_to_u64(str_from(pid), &who) ||
	    who != (uint64_t)getpid())
		return true;
	if (!str_to_u64(str_from(fds), &n) || n > 4096)
		return err_set(e, "LISTEN_FDS is \"%s\", not a number of "
		    "descriptors", fds);
	for (int i = 0; i < (int)n; i++)
		if (!listen_set_adopt_fd(s, SYSTEMD_FIRST + i, e))
			return false;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return true;
}

bool
listen_set_adopt(struct listen_set *s, const char *text, struct err *e)
{
	struct str rest = str_from(text), part;
	uint64_t fd;

	while (str_split(&rest, ';', &part)) {
		if (!str_to_u64(part, &fd) || fd > INT32_MAX)
			return err_set(e, "\"%.*s\" is not a descriptor",
			    STR_ARG(part));
		if (!listen_set_adopt_fd(s, (int)fd, e))
			return false;
	}
	return listen_set_adopt_systemd(s, e);
}

char *
listen_set_export_paths(struct listen_set *s, struct arena *a)
{
	struct buf b = buf_in(a);

	LIST_EACH(link, &s->entries) {
		struct listen_entry *en = listen_entry_of(link);

		if (en->maker == getpid() && en->now.n > 0)
			buf_printf(&b, "%s%d", b.n > 0 ? ";" : "",
			    en->now.fds[0]);
	}
	buf_chr(&b, '\0');
	return b.p;
}

void
listen_set_adopt_paths(struct listen_set *s, const char *text)
{
	struct str rest = str_from(text), part;
	uint64_t fd;

	while (str_split(&rest, ';', &part)) {
		if (!str_to_u64(part, &fd))
			continue;
		LIST_EACH(link, &s->entries) {
			struct listen_entry *en = listen_entry_of(link);

			if (en->now.n > 0 && en->now.fds[0] == (int)fd)
				listen_entry_remember_path(en);
		}
	}
}
