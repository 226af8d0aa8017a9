/*
 * Sites: who is served under which names on which addresses. Chosen by host
 * name: exact, then the longest "*.suffix", then regular expressions in order,
 * then the default site of the address.
 */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "base/map.h"
#include "conf/load.h"
#include "http/h2_conf.h"
#include "http/route.h"
#include "net/listener.h"
#include "net/tls.h"

/* A line of a head that ends in LF alone; also of responses, where an upstream
 * says so. */
enum bare_lf { BARE_LF_REFUSE, BARE_LF_ACCEPT };
extern const char *const bare_lf_choices[];

/* Names of fields with "_" in them. */
enum underscores { UNDERSCORES_DROP, UNDERSCORES_PASS, UNDERSCORES_REFUSE };

/* `http:` - protocol limits and timeouts, at the top and in a site. */
struct http_conf {
	uint64_t header_timeout, body_timeout, send_timeout; /* ms */
	uint64_t keepalive_timeout, lingering_timeout;       /* ms */
	int64_t keepalive_requests;
	uint64_t max_header_size, max_body_size, max_target_size; /* bytes */
	int64_t max_headers;
	uint64_t max_chunk_extensions; /* bytes */
	int64_t max_pipelined;
	int64_t max_connections_per_client;  /* 0: any */
	uint64_t max_memory_per_client;      /* bytes; 0: any */
	uint64_t max_memory_per_connection;  /* bytes; 0: any */
	uint64_t min_rate;       /* bytes a second; 0: none */
	uint64_t min_rate_grace; /* ms */
	int encoded_slash; /* enum encoded_slash */
	int bare_lf;       /* enum bare_lf */
	int underscores;   /* enum underscores */
	bool server_tokens; /* a Server field in responses */
	struct h2_conf *http2; /* never NULL */
	int mode;           /* enum policy_mode */
	struct conf_list log_only; /* int, enum refusal */
};
extern const struct conf_schema http_schema;

/* `listen:` of a site: 8080 is short for {http: 8080}. */
struct site_listen_conf {
	struct conf_list http, https; /* struct addr */
};

struct site_conf {
	struct conf_list hosts; /* struct host_pattern; empty: the default */
	bool is_default;        /* key `default` */
	struct site_listen_conf *listen;
	struct tls_conf *tls;
	struct http_conf *http;
	struct settings settings;
	struct conf_list routes; /* struct route_conf * */
};
extern struct conf_schema site_schema;

struct site {
	const struct site_conf *conf;
	const struct http_conf *http; /* with the top's filled in */
	struct str name; /* its first host as written, or "default" */
	struct router *router;
	/* For what has no route here or was refused before it could have one:
	 * the site's own HEADERS and LOG steps. */
	const struct plan *plan;
	struct tls_context *tls; /* NULL: plain only */
	struct conf_pos pos;
};

#endif
