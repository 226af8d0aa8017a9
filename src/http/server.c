/*
 * The server: HTTP in one process. Opens listeners, keeps the list of client
 * connections and the modules' private state, drains. It parses nothing.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/client.h"
#include "http/h1.h"

static const struct counter_row http_rows[] = {
	COUNTER(http_stats, requests, COUNTER_TOTAL,
	    "weir_http_requests_total", "Requests whose head was read."),
#define CLASS(i, label) \
	COUNTER_LABEL(http_stats, responses[i], COUNTER_TOTAL, \
	    "weir_http_responses_total", "class=\"" label "\"", \
	    "Responses begun, by class of status.")
	CLASS(0, "1xx"),
	CLASS(1, "2xx"),
	CLASS(2, "3xx"),
	CLASS(3, "4xx"),
	CLASS(4, "5xx"),
#undef CLASS
	COUNTER(http_stats, in_flight, COUNTER_GAUGE,
	    "weir_http_requests_in_flight", "Requests being worked on."),
	COUNTER(http_stats, idle, COUNTER_GAUGE,
	    "weir_http_connections_idle",
	    "Client connections without a request."),
#define REFUSAL(name, status, word, text) \
	COUNTER_LABEL(http_stats, refused[REFUSAL_##name], COUNTER_TOTAL, \
	    "weir_http_refused_total", "reason=\"" word "\"", \
	    "Requests that were not served, by the word in the access log."),
#define HEAD REFUSAL
#include "http/refusal.def"
#define POLICY(name, status, word, text) \
	COUNTER_LABEL(http_stats, reported[REFUSAL_##name], COUNTER_TOTAL, \
	    "weir_http_reported_total", "reason=\"" word "\"", \
	    "Requests that would have been refused for that reason if it were " \
	    "not only reported."),
#define HEAD_POLICY POLICY
#define HEAD(name, ...)
#define REFUSAL(name, ...)
#include "http/refusal.def"
	COUNTER(http_stats, early_held, COUNTER_TOTAL,
	    "weir_http_early_requests_held_total",
	    "Requests in early data that waited for the end of the "
	    "handshake."),
	COUNTER(http_stats, cut, COUNTER_TOTAL,
	    "weir_http_responses_cut_total",
	    "Exchanges that ended before the response was complete."),
	COUNTER(http_stats, memory, COUNTER_GAUGE, "weir_memory_bytes",
	    "Memory that workers hold, where max_memory is set."),
	COUNTER(http_stats, starved, COUNTER_TOTAL, "weir_memory_starved_total",
	    "Times that a worker came to hold more than max_memory."),
	COUNTER(http_stats, pipeline_pauses, COUNTER_TOTAL,
	    "weir_http_pipeline_pauses_total",
	    "Times that a connection had max_pipelined requests answered in a "
	    "row and others got their turn."),
	COUNTER(http_stats, h2_connections, COUNTER_TOTAL,
	    "weir_http2_connections_total",
	    "Client connections that spoke HTTP/2."),
#define ABUSE(name, setting, word, text) \
	COUNTER_LABEL(http_stats, h2_events[H2_ABUSE_##name], COUNTER_TOTAL, \
	    "weir_http2_events_total", "kind=\"" word "\"", \
	    "What clients of HTTP/2 did that is held against them."),
#include "http/h2_abuse.def"
#undef ABUSE
#define ABUSE(name, setting, word, text) \
	COUNTER_LABEL(http_stats, h2_abuses[H2_ABUSE_##name], COUNTER_TOTAL, \
	    "weir_http2_abuses_total", "kind=\"" word "\"", \
	    "HTTP/2 connections that were closed for doing too much of it."),
#include "http/h2_abuse.def"
#undef ABUSE
	COUNTER_END
};

const struct counter_set http_counters = {
	.name = "http", .size = sizeof(struct http_stats), .rows = http_rows
};

struct server *
server_new(struct net *n, struct http_stats *stats,
    void *const module_stats[], struct generation *g)
{
	struct server *s = arena_zalloc(g->arena, sizeof *s);

	s->net = n;
	s->generation = generation_ref(g);
	s->stats = stats;
	s->max_conns = UINT32_MAX;
	s->max_conns_by = "nothing";
	list_init(&s->conns);
	list_init(&s->fresh);
	for (unsigned i = 0; i < module_count; i++) {
		s->module_stats[i] = module_stats[i];
		if (modules[i]->start != NULL)
			s->module_state[i] = modules[i]->start(s);
	}
	return s;
}

void
server_end(struct server *s)
{
	server_cut(s);
	timer_stop(s->net->loop, &s->drain_timer);
	for (unsigned i = 0; i < module_count; i++)
		if (modules[i]->stop != NULL)
			modules[i]->stop(s, s->module_state[i]);
	generation_unref(s->generation);
}

static void
server_on_accept(struct listener *l, int fd, const struct peer *peer)
{
	h1_accept(listener_arg(l), listener_endpoint(l), fd, peer);
}

bool
server_listen(struct server *s, struct endpoint **eps, size_t n,
    unsigned worker, struct err *e)
{
	s->listeners = arena_zalloc(s->generation->arena,
	    (n + 1) * sizeof(struct listener *));
	for (size_t i = 0; i < n; i++) {
		struct endpoint *ep = eps[i];
		struct listener *l = listener_open(s->net, ep,
		    ep->fds[worker % ep->n_fds], server_on_accept, s, e);

		if (l == NULL)
			return false;
		s->listeners[s->n_listeners++] = l;
	}
	return true;
}

static void
server_stop_listening(struct server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		listener_close(s->listeners[i]);
	s->n_listeners = 0;
}

/* Draining is looked at often enough that the spread is even, seldom enough
 * that ten thousand idle connections cost nothing. */
#define DRAIN_STEP 100 /* ms */

static void
server_on_drain(struct timer *timer)
{
	struct server *s = CONTAINER_OF(timer, struct server, drain_timer);
	uint64_t now = clock_ms();
	uint64_t left = s->drain_until > now ? s->drain_until - now : 0;
	unsigned may_stay = left > 0 ?
	    (unsigned)(s->drain_from * left / s->drain_within) : 0;
	unsigned quota = s->n_conns > may_stay ? s->n_conns - may_stay : 0;

	list_splice(&s->conns, &s->fresh);
	LIST_EACH(link, &s->conns) {
		struct client *c = client_of_link(link);

		if (quota == 0)
			break;
		if (client_ops(c)->close_if_idle(c, left == 0))
			quota--;
	}
	if (s->n_conns > 0) {
		timer_start(s->net->loop, &s->drain_timer, DRAIN_STEP);
		return;
	}
	s->drained(s->drained_arg);
}

void
server_drain(struct server *s, uint64_t within_ms, void (*drained)(void *arg),
    void *arg)
{
	if (s->draining)
		return;

	s->draining = true;
	s->drained = drained;
	s->drained_arg = arg;
	s->drain_until = clock_ms() + within_ms;
	s->drain_within = within_ms;
	s->drain_from = s->n_conns;
	server_stop_listening(s);
	for (unsigned i = 0; i < module_count; i++)
		if (modules[i]->drain != NULL)
			modules[i]->drain(s, s->module_state[i]);
	s->drain_timer.name = "drain";
	s->drain_timer.expired = server_on_drain;
	timer_start(s->net->loop, &s->drain_timer, DRAIN_STEP);
}

/* Connections that are looked at for the one that is idle for longest: all of
 * a small crowd; of a large one enough, since the next look goes on behind. */
#define SHED_LOOKS 64

static bool
server_shed_idle(struct server *s, enum close_reason why)
{
	struct list *first = s->conns.next;
	struct client *victim = NULL;
	uint32_t longest = 0;

	for (int i = 0; i < SHED_LOOKS && first != &s->conns; i++) {
		struct list *link = list_pop_front(&s->conns);
		struct client *c = client_of_link(link);
		uint32_t idle = client_ops(c)->idle_for(c);

		list_push_back(&s->conns, link);
		if (idle > longest) {
			longest = idle;
			victim = c;
		}
		if (s->conns.next == first)
			break;
	}
	return victim != NULL && client_ops(victim)->shed(victim, why);
}

/* Who has never asked for anything goes first, however long the others are
 * idle: or those who only connect could drive away those who are served. */
bool
server_shed(struct server *s, enum close_reason why)
{
	while (!list_is_empty(&s->fresh)) {
		struct list *link = list_pop_front(&s->fresh);
		struct client *c = client_of_link(link);

		/* Not to be met again before it is gone. */
		list_push_back(&s->conns, link);
		if (client_ops(c)->shed(c, why))
			return true;
	}
	return server_shed_idle(s, why);
}

void
server_cut(struct server *s)
{
	server_stop_listening(s);
	list_splice(&s->conns, &s->fresh);
	LIST_EACH(link, &s->conns) {
		struct client *c = client_of_link(link);

		client_ops(c)->cut(c);
	}
}

void *
server_module(struct server *s, unsigned module_index)
{
	return s->module_state[module_index];
}

void *
server_stats(struct server *s, unsigned module_index)
{
	return s->module_stats[module_index];
}
