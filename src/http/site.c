/*
 * Sites as they are written: the rows of `sites`, `listen` and `http`, and what
 * rows cannot say of them. Which site a request is for is site_index's.
 */
#include "http/site.h"

#include "http/pattern.h"
#include "http/policy.h"
#include "net/addr.h"
#include "net/net.h"

/* ---- http -------------------------------------------------------------- */

static const char *const encoded_slashes[] = {
	[SLASH_REFUSE] = "refuse", [SLASH_KEEP] = "keep",
	[SLASH_DECODE] = "decode", NULL
};

const char *const bare_lf_choices[] = {
	[BARE_LF_REFUSE] = "refuse", [BARE_LF_ACCEPT] = "accept", NULL
};

static const char *const underscore_choices[] = {
	[UNDERSCORES_DROP] = "drop", [UNDERSCORES_PASS] = "pass",
	[UNDERSCORES_REFUSE] = "refuse", NULL
};

/* A head is passed on by composing it, with what is added, in one page. */
_Static_assert(NET_SCRATCH >= 64 * 1024, "max_header_size goes up to 60k");

/* For a deadline 0 would mean never: hence the lower bounds. */
static const struct conf_field http_fields[] = {
	KEY_DURATION(http_conf, header_timeout, .dflt = "15s", .min = "1ms",
	    .max = "24h",
	    .doc = "How long the head of a request may take, from its first "
	    "byte to its last; and the TLS handshake. Then: 408."),
	KEY_DURATION(http_conf, body_timeout, .dflt = "60s", .min = "1ms",
	    .max = "24h",
	    .doc = "How long a client may send nothing of a body that is "
	    "being read."),
	KEY_DURATION(http_conf, send_timeout, .dflt = "60s", .min = "1ms",
	    .max = "24h",
	    .doc = "How long a client may take nothing of a response that is "
	    "being sent."),
	KEY_DURATION(http_conf, keepalive_timeout, .dflt = "75s",
	    .min = "1ms", .max = "24h",
	    .doc = "How long a connection is kept without a request."),
	KEY_INT(http_conf, keepalive_requests, .dflt = "10000", .min = "1",
	    .doc = "How many requests a connection carries at most. With 1, "
	    "every request has a connection of its own."),
	KEY_DURATION(http_conf, lingering_timeout, .dflt = "5s",
	    .min = "1ms", .max = "1h",
	    .doc = "How long the rest of a refused request is read and thrown "
	    "away, so that the client gets to see the answer."),
	KEY_SIZE(http_conf, max_header_size, .dflt = "32k", .min = "1k",
	    .max = "60k",
	    .doc = "How large the head of a request may be, request line "
	    "included. Beyond that: 431."),
	KEY_INT(http_conf, max_headers, .dflt = "100", .min = "1",
	    .max = "1000",
	    .doc = "How many fields a head may have. Beyond that: 431."),
	KEY_SIZE(http_conf, max_target_size, .dflt = "8k", .min = "64",
	    .max = "60k",
	    .doc = "How long path and query may be together, as they are "
	    "sent. Beyond that: 414."),
	KEY_SIZE(http_conf, max_body_size, .dflt = "10m", .max = "1048576g",
	    .doc = "How large the body of a request may be; 0: no limit. "
	    "Beyond that: 413."),
	KEY_SIZE(http_conf, min_rate, .dflt = "240", .max = "1g",
	    .doc = "How many bytes a second of its body a client must send on "
	    "average while it is waited for; 0: any. Slower ones, once they "
	    "have used up min_rate_grace: 408. A head has header_timeout for "
	    "the whole of it."),
	KEY_DURATION(http_conf, min_rate_grace, .dflt = "20s", .min = "1ms",
	    .max = "24h",
	    .doc = "How far a client may be behind min_rate: one that pauses "
	    "for less is not slow. What it sent faster counts for pauses of up "
	    "to body_timeout."),
	KEY_SIZE(http_conf, max_chunk_extensions, .dflt = "4k", .max = "1m",
	    .doc = "How many bytes of chunk extensions the body of a request "
	    "may have in all; they are checked and thrown away. Beyond that: "
	    "400."),
	KEY_INT(http_conf, max_pipelined, .dflt = "16", .min = "1",
	    .max = "1000",
	    .doc = "How many requests that a client sends without waiting for "
	    "the answers are answered in a row, before other connections get "
	    "their turn. Nothing is refused: what was not read yet (all but "
	    "64 KiB) waits in the kernel, and so does the client."),
	KEY_INT(http_conf, max_connections_per_client, .dflt = "0",
	    .max = "1000000",
	    .doc = "How many connections a client may have to a worker; 0: "
	    "any. A client is an IPv4 address or the first 64 bits of an IPv6 "
	    "address; nobody counts who comes by a unix socket or is in the "
	    "listener's `trusted`. Connections to all addresses where this or "
	    "max_memory_per_client is set are counted together. Beyond that "
	    "the new one is answered 429 or, over TLS, closed. Each worker "
	    "counts for itself: with `steer: balanced` a client may come to "
	    "as many as there are workers, times this; with `steer: client` "
	    "it is exact."),
	KEY_SIZE(http_conf, max_memory_per_client, .dflt = "0",
	    .max = "64g",
	    .doc = "How much memory all connections of a client to a worker "
	    "may hold, 14 KiB for each with TLS included; 0: any. Beyond that "
	    "a new one is answered 503 or, over TLS, closed, and so is one "
	    "that grows, or cut where it has a request. Who a "
	    "client is, and what workers count, is as for "
	    "max_connections_per_client."),
	KEY_SIZE(http_conf, max_memory_per_connection, .dflt = "4m",
	    .max = "1g",
	    .doc = "How much memory a connection may hold between two steps: "
	    "what it sent or is to be sent and cannot go on yet, and all that "
	    "belongs to its request; 0: any. What waits at an upstream and "
	    "TLS are not counted. Beyond that it is cut or, where the head of "
	    "a request is not complete, answered 503. One of HTTP/2 holds that "
	    "for all its requests, and 30 KiB to begin with; when it holds "
	    "three quarters, further requests are refused so that the client "
	    "tries them again, and its windows never become larger than a "
	    "quarter."),
	/* Whatever we make of %2F, some backend makes the other thing of it,
	 * and then rules for paths hold for one of the two readings only. */
	KEY_CHOICE(http_conf, encoded_slash, encoded_slashes,
	    .dflt = "refuse",
	    .doc = "What a path with an encoded slash (%2F) means: refuse "
	    "answers 400; keep leaves it as it is, part of a segment; decode "
	    "makes it a slash. An upstream gets the path as the client sent it "
	    "and has to read it the same way, or rules for paths can be got "
	    "around: hence the default."),
	KEY_CHOICE(http_conf, bare_lf, bare_lf_choices, .dflt = "refuse",
	    .doc = "What a line of a request's head means that ends in LF "
	    "without CR: refuse answers 400; accept takes it for the end of a "
	    "line. Never in chunked bodies, where two readers could find two "
	    "requests. What upstreams send is theirs: upstreams, bare_lf."),
	KEY_CHOICE(http_conf, underscores, underscore_choices,
	    .dflt = "drop",
	    .doc = "What becomes of a request's fields with an underscore in "
	    "their name, which many upstreams cannot tell from a hyphen: drop "
	    "keeps them from the upstream; pass lets them through, but for "
	    "those that would pose as a field that the proxy writes or that "
	    "concerns the connection; refuse answers 400."),
	KEY_BOOL(http_conf, server_tokens, .dflt = "off",
	    .doc = "Whether responses made here have a Server field."),
	KEY_BLOCK(http_conf, http2, struct h2_conf, h2_schema,
	    .flags = CONF_ALWAYS,
	    .doc = "HTTP/2: on, off, or its settings. What concerns a whole "
	    "connection is that of the address's default site, or else of its "
	    "first."),
	KEY_CHOICE(http_conf, mode, policy_modes, .dflt = "enforce",
	    .doc = "Whether limits are enforced: log lets a request pass that "
	    "is over one, says in the error log (as a notice) that it would be "
	    "refused, counts it in weir_http_reported_total and names the "
	    "reason in $reported, so that a limit can be tried before it "
	    "holds. Only for the reasons that REASONS marks so; what is "
	    "malformed or could be read in two ways is always refused, as are "
	    "the time-outs. A head still has at most 60k, 1000 fields and a "
	    "target of 60k, a body 1m of chunk extensions; fields with an "
	    "underscore are dropped; a body may be of any size, and has "
	    "body_timeout between two pieces; who has more connections or "
	    "memory than a client may is left alone. For a head the mode "
	    "of the first site of the address holds."),
	KEY_LIST(http_conf, log_only, conf_type_policy,
	    .doc = "Reasons that are only reported while the others are "
	    "enforced, as all of them are with mode: log.",
	    .example = "[large_body, underscore]"),
	KEY_END
};

const struct conf_schema http_schema = {
	.name = "http",
	.doc = "Protocol limits and timeouts.",
	.size = sizeof(struct http_conf),
	.fields = http_fields,
	.example =
	    "http: {max_body_size: 1m, keepalive_timeout: 30s}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    http: {max_body_size: 1g}\n"
	    "    routes:\n"
	    "      - files: /srv/www\n",
};

/* ---- listen ------------------------------------------------------------ */

static const struct conf_field site_listen_fields[] = {
	KEY_LIST(site_listen_conf, http, conf_type_listen,
	    .doc = "Addresses for plain HTTP: a port, HOST:PORT with an "
	    "address as host, or unix:PATH.",
	    .example = "[80, \"[::1]:8080\", \"unix:/run/weir.sock\"]"),
	KEY_LIST(site_listen_conf, https, conf_type_listen,
	    .doc = "Addresses for HTTP over TLS; the site needs a "
	    "certificate.",
	    .example = "443"),
	KEY_END
};

struct listen_seen {
	struct map *places; /* address as text -> place */
	struct arena *arena;
};

static void
site_listen_check_list(struct conf_load *load, struct listen_seen *seen,
    const struct conf_list *addrs)
{
	for (size_t i = 0; i < addrs->n; i++) {
		struct buf text = buf_in(seen->arena);
		const struct conf_pos *before;

		addr_format(&text, &CONF_ITEM(addrs, struct addr, i));
		before = map_put(seen->places, buf_view(&text),
		    (void *)&addrs->pos[i]);
		if (before != NULL)
			conf_error(load, addrs->pos[i], "listen-conflict",
			    "%.*s is in this \"listen\" already, at %s",
			    STR_ARG(buf_view(&text)),
			    conf_pos_text(load, *before));
	}
}

static void
site_listen_check(struct conf_load *load, void *block)
{
	const struct site_listen_conf *l = block;
	struct listen_seen seen;

	if (l->http.n + l->https.n == 0) {
		conf_error(load, conf_block_pos(l), "no-address",
		    "this \"listen\" has no address; expected http: or https: "
		    "with at least one");
		return;
	}
	seen.arena = arena_new();
	seen.places = map_new(seen.arena, l->http.n + l->https.n);
	site_listen_check_list(load, &seen, &l->http);
	site_listen_check_list(load, &seen, &l->https);
	arena_end(seen.arena);
}

static const struct conf_schema site_listen_schema = {
	.name = "listen",
	.doc = "Where a site listens.",
	.size = sizeof(struct site_listen_conf),
	.fields = site_listen_fields,
	.shorthand = "http",
	.check = site_listen_check,
};

/* ---- sites ------------------------------------------------------------- */

static const struct conf_field site_fields[] = {
	KEY_LIST(site_conf, hosts, conf_type_host, .flags = CONF_LOCAL,
	    .doc = "Names that the site is asked for by: example.com, "
	    "*.example.com for all names that end so, or, after ~, a regular "
	    "expression on the name in lower case. Exact names come first, "
	    "then the longest *, then regular expressions in the order of the "
	    "file. Left out: the default site.",
	    .example = "[example.com, \"*.example.com\"]"),
	{.name = "default", .shape = CONF_SCALAR, .type = &conf_type_bool,
	 .offset = CONF_OFFSET(site_conf, is_default, bool), .dflt = "off",
	 .flags = CONF_LOCAL,
	 .doc = "Whether it is the site of its addresses for requests with a "
	 "host that no site there has. Without one, they are answered with "
	 "421."},
	KEY_BLOCK(site_conf, listen, struct site_listen_conf,
	    site_listen_schema, .flags = CONF_REQUIRED | CONF_LOCAL,
	    .doc = "Where it listens. A port or an address alone is plain "
	    "HTTP. Several sites can listen on the same address.",
	    .example = "{http: 80, https: 443}"),
	KEY_BLOCK(site_conf, tls, struct tls_conf, tls_schema,
	    .doc = "Certificates, and TLS settings over the top's."),
	KEY_BLOCK(site_conf, http, struct http_conf, http_schema,
	    .doc = "Protocol limits and timeouts over the top's. What is "
	    "needed before the host is known (header_timeout, "
	    "max_header_size, max_headers, max_target_size, bare_lf, "
	    "max_connections_per_client) is that of the address's default "
	    "site, or else of its first."),
	KEY_BLOCKS(site_conf, routes, route_schema,
	    .flags = CONF_REQUIRED | CONF_LOCAL,
	    .doc = "What is done with requests: the first route that fits is "
	    "taken. If none does: 404."),
	KEY_END
};

struct conf_schema site_schema = {
	.name = "site",
	.doc = "What is served under some names on some addresses.",
	.size = sizeof(struct site_conf),
	.fields = site_fields,
	.extra_offset = offsetof(struct site_conf, settings),
	.example =
	    "sites:\n"
	    "  - hosts: [example.com, www.example.com]\n"
	    "    listen: 8000\n"
	    "    routes:\n"
	    "      - files: /srv/www\n",
};
