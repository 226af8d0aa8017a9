/*
 * proxy: the request is answered by an upstream. This file is the key and its
 * place in the plan; balancing, connections and the protocol are src/upstream.
 */
#include "http/server.h"
#include "modules/modules.h"
#include "upstream/exchange.h"
#include "upstream/h1_client.h"
#include "upstream/h2_client.h"
#include "upstream/loop_mark.h"

struct proxy_conf {
	struct conf_text to;
	int protocol; /* enum proxy_protocol */
	bool early_data;
	uint64_t connect_timeout, send_timeout, read_timeout; /* ms */
	struct forward_conf *request_headers;
	struct conf_list upgrades; /* char * */

	/* Made by proxy_prepare. */
	struct upstream_group *group;
	struct exchange_conf exchange;
};

enum proxy_protocol { PROXY_HTTP1, PROXY_HTTP2, PROXY_GRPC };
static const char *const proxy_protocols[] = {"http1", "http2", "grpc", NULL};

static const struct conf_field proxy_fields[] = {
	KEY_TEXT(proxy_conf, to,
	    .doc = "Where requests go: the name of an upstream, or an address "
	    "as http://host:port, https://host:port or unix:PATH. It has no "
	    "path: requests keep theirs. Where that is an address that this "
	    "Weir listens on itself, a request may pass by four more times; "
	    "then it is a loop: 508.",
	    .example = "app"),
	KEY_CHOICE(proxy_conf, protocol, proxy_protocols, .dflt = "http1",
	    .doc = "What the servers speak. http2: many requests at once over "
	    "one connection, or a few; over TLS the server has to agree to "
	    "h2, without TLS it has to expect it (h2c by prior knowledge). "
	    "grpc: that, and grpc-timeout is kept. Whatever the route, what "
	    "is refused or fails here is told to a client of gRPC (by the "
	    "request's Content-Type) with status 200 and grpc-status.",
	    .example = "grpc"),
	KEY_DURATION(proxy_conf, connect_timeout, .dflt = "5s", .min = "1ms",
	    .doc = "How long connecting to a server may take, TLS included. "
	    "Then the next one is tried; when none is left: 504."),
	KEY_DURATION(proxy_conf, send_timeout, .dflt = "60s", .min = "1ms",
	    .doc = "How long a server may take nothing of a request that is "
	    "being sent: 504."),
	KEY_DURATION(proxy_conf, read_timeout, .dflt = "60s", .min = "1ms",
	    .doc = "How long a server may send nothing while its response is "
	    "waited for: 504, or the response is cut if it has begun. On an "
	    "upgraded connection: how long both sides may be silent."),
	KEY_LIST(proxy_conf, upgrades, conf_type_str, .dflt = "[websocket]",
	    .doc = "Protocols that a client may upgrade its connection to "
	    "(Upgrade); from then on bytes pass both ways, whatever they are. "
	    "Others are not asked for, and h2c never is. []: none."),
	KEY_BOOL(proxy_conf, early_data, .dflt = "off",
	    .doc = "Where `tls` of the site allows early data: whether the "
	    "servers know what `Early-Data: 1` says of a request, and answer "
	    "425 (Too Early) to one that must not be done twice. With on they "
	    "get such requests at once, and a 425 goes to the client, who "
	    "asks again when the handshake is over. With off requests wait "
	    "for that here (RFC 8470)."),
	KEY_BLOCK(proxy_conf, request_headers, struct forward_conf,
	    forward_schema,
	    .doc = "Changes to the request's fields. The upstream gets the "
	    "client's, its Host included, without those that concern the "
	    "connection only, and X-Forwarded-For, -Proto and -Host."),
	KEY_END
};

static const struct conf_schema proxy_schema = {
	.name = "proxy",
	.doc = "Passes requests to an upstream, also WebSocket and other "
	    "long-lived ones, without holding back what arrives.",
	.size = sizeof(struct proxy_conf),
	.fields = proxy_fields,
	.shorthand = "to",
	.example =
	    "upstreams:\n"
	    "  app: {servers: [127.0.0.1:8080]}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /api/*\n"
	    "        proxy:\n"
	    "          to: app\n"
	    "          read_timeout: 5m\n"
	    "          request_headers: {set: {X-Request-Id: $request_id}}\n"
	    "      - proxy: http://127.0.0.1:8081\n",
};

static bool
proxy_is_literal(struct str to)
{
	return str_has_prefix(to, STR("unix:")) || str_contains(to, STR("://"));
}

static struct upstream_group *
proxy_find_group(struct conf_load *load, struct generation *g,
    const struct conf_text *to)
{
	struct upstream_group *group;
	const char *const *names;
	size_t n;

	if (proxy_is_literal(to->s))
		return upstreams_literal(g, load, *to);
	group = upstreams_find(g, to->s);
	if (group != NULL)
		return group;

	names = upstreams_names(g, &n);
	if (n == 0 || str_index(to->s, '/', 0) != SIZE_MAX ||
	    str_index(to->s, ':', 0) != SIZE_MAX)
		conf_error(load, to->pos, "unknown-upstream",
		    "no upstream is named \"%.*s\"; an address is written "
		    "http://host:port, https://host:port or unix:PATH",
		    STR_ARG(to->s));
	else
		conf_error(load, to->pos, "unknown-upstream",
		    "no upstream is named \"%.*s\"%s", STR_ARG(to->s),
		    conf_suggest(load, to->s, names, n));
	return NULL;
}

static const struct call_protocol *
proxy_protocol(struct conf_load *load, const struct proxy_conf *c)
{
	if (c->protocol == PROXY_HTTP1)
		return &h1_client_protocol;
#if WEIR_HTTP2
	(void)load;
	return &h2_client_protocol;
#else
	conf_error(load, conf_pos_of(c, &c->protocol), "not-built",
	    "this weir was built without HTTP/2 (nghttp2): it speaks http1 to "
	    "upstreams");
	return &h1_client_protocol;
#endif
}

static void
proxy_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct proxy_conf *c = conf;

	if (c->to.s.n == 0) {
		conf_error(load, conf_block_pos(c), "missing-key",
		    "this proxy does not say where requests go: \"to\" is "
		    "missing");
		return;
	}
	forward_check_upgrades(load, &c->upgrades);
	c->group = proxy_find_group(load, g, &c->to);
	c->exchange = (struct exchange_conf){
		.protocol = proxy_protocol(load, c),
		.is_grpc = c->protocol == PROXY_GRPC,
		.connect_timeout = c->connect_timeout,
		.send_timeout = c->send_timeout,
		.read_timeout = c->read_timeout,
		.edits = forward_compile(load, c->request_headers),
		.upgrades = &c->upgrades,
	};
}

/* With another Host it is another site's, as far as one can tell from here. */
static void
proxy_lint(struct conf_load *load, const struct site_conf *site,
    bool is_conditional, const void *conf)
{
	const struct proxy_conf *c = conf;

	if (c->group != NULL && !is_conditional &&
	    !forward_sets_host(c->exchange.edits))
		loop_mark_lint(load, site, c->group, c->to.pos);
}

static enum verdict
proxy_refuse_loop(struct txn *t)
{
	txn_note_refusal(t, REFUSAL_LOOP);
	txn_reply_error(t, refusal_status(REFUSAL_LOOP));
	return STEP_STOP;
}

static enum verdict
proxy_step(struct txn *t, const void *conf)
{
	const struct proxy_conf *c = conf;
	void **slot = txn_slot(t);
	uint64_t hops;

	if (forward_counts_hops(t, &hops) && hops == 0) {
		txn_reply(t, 204);
		return STEP_STOP;
	}
	/* RFC 8470 section 6.2 */
	if (t->req.is_early && !c->early_data && txn_must_wait(t))
		return STEP_WAIT;
	if (*slot == NULL) {
		struct backends *all = server_module(t->server, MODULE_proxy);

		if (!loop_mark_allows(t, c->group))
			return proxy_refuse_loop(t);
		*slot = exchange_new(t, backends_at(all, c->group->index),
		    &c->exchange);
	}
	return exchange_step(*slot);
}

static void *
proxy_start(struct server *s)
{
	return backends_new(s->net, s->generation,
	    server_stats(s, MODULE_proxy));
}

static void
proxy_stop(struct server *s, void *state)
{
	(void)s;
	backends_end(state);
}

static void
proxy_drain(struct server *s, void *state)
{
	(void)s;
	backends_drain(state);
}

const struct module proxy_module = {
	.name = "proxy",
	.phase = PHASE_RESPOND,
	.levels = LEVEL_ROUTE,
	.schema = &proxy_schema,
	.doc = "Passes requests to an upstream: its name, or an address.",
	.prepare = proxy_prepare,
	.lint = proxy_lint,
	.step = proxy_step,
	.start = proxy_start,
	.stop = proxy_stop,
	.drain = proxy_drain,
	.counters = &exchange_counters,
};
