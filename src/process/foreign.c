/*
 * Words that operators bring from nginx, HAProxy and Caddy, and what says the
 * same here: `weir -t` answers an unknown key with the row that fits. Words of
 * features that this version lacks say so.
 */
#include "process/config.h"

#define NO_STREAMS "TCP and UDP are not passed through in this version"
#define LIMIT_RATE "write limits: {requests: {rate: 10/s, burst: 20}}"
#define LIMIT_CONNECTIONS "write limits: {connections: {max: 20}}"
#define IN_ROUTES "it stands in `routes`: {path: /x/*, ...}"
#define SITES "what is served is a list under \"sites\""
#define CERTIFICATES \
	"write tls: {certificates: [{certificate: FILE, key: FILE}]}"
#define FILES "write files: {root: DIRECTORY}"
#define PROXY "write proxy: http://HOST:PORT, or the name of an upstream"
#define REDIRECT "write redirect: {to: URL, status: 301}"
#define REQUEST_HEADERS "write proxy: {request_headers: {set: {NAME: VALUE}}}"
#define RESPONSE_HEADERS "write response_headers: {set: {NAME: VALUE}}"
#define DURATIONS "timeouts have a name each, in \"http\" and in \"proxy\""

const struct conf_foreign foreign_words[] = {
	/* nginx */
	{"worker_processes", NULL, "write workers: auto"},
	{"worker_connections", NULL, "write max_connections: 10000"},
	{"events", NULL, "nothing needs to be said about them"},
	{"pid", NULL, "write pid_file: PATH"},
	{"server", "configuration", SITES},
	{"server", "http", SITES},
	{"servers", "configuration", SITES},
	{"server_name", NULL, "write hosts: [NAME, ...]"},
	{"default_server", NULL, "write default: on"},
	{"location", NULL, IN_ROUTES},
	{"root", "site", "files are served by a route: files: {root: "
	    "DIRECTORY}"},
	{"index", "site", "files are served by a route: files: {root: "
	    "DIRECTORY, index: [...]}"},
	{"root", "route", FILES},
	{"alias", NULL, FILES},
	{"try_files", NULL, "write files: {root: DIRECTORY, try: [...]}"},
	{"autoindex", NULL, "write files: {listing: html}"},
	{"proxy_pass", NULL, PROXY},
	{"proxy_set_header", NULL, REQUEST_HEADERS},
	{"add_header", NULL, RESPONSE_HEADERS},
	{"proxy_read_timeout", NULL, "write proxy: {read_timeout: 60s}"},
	{"proxy_connect_timeout", NULL, "write proxy: {connect_timeout: 5s}"},
	{"return", NULL, "write respond: 204, or redirect: URL"},
	{"rewrite", NULL, "it stands in a site or a route: rewrite: "
	    "[{regex: REGEX, to: PATH}]"},
	{"ssl", NULL, "write listen: {https: 443}"},
	{"ssl_certificate", NULL, CERTIFICATES},
	{"ssl_certificate_key", NULL, CERTIFICATES},
	{"ssl_protocols", NULL, "write tls: {protocols: [...]}"},
	{"ssl_ciphers", NULL, "write tls: {ciphers: ...}"},
	{"ssl_session_ticket_key", NULL,
	    "write tls: {tickets: {key_files: [...]}}"},
	{"ssl_ecdh_curve", NULL, "write tls: {groups: [...]}"},
	{"ssl_verify_client", NULL, "write tls: {client: {verify: required}}"},
	{"ssl_client_certificate", NULL, "write tls: {client: {ca: FILE}}"},
	{"client_max_body_size", NULL, "write http: {max_body_size: 10m}"},
	{"log_format", NULL, "write log_formats: {NAME: FORMAT}"},
	{"error_page", NULL,
	    "write error_pages: {404: /404.html, 5xx: /50x.html}"},
	{"proxy_intercept_errors", NULL,
	    "write error_pages: {intercept: on}"},
	{"set_real_ip_from", NULL, "write real_ip: {from: [NETWORK, ...]}"},
	{"real_ip_header", NULL, "write real_ip: {header: NAME}"},
	{"auth_basic_user_file", NULL, "write auth_basic: {users: FILE}"},
	{"allow", NULL, "write access: [allow NETWORK, deny all]"},
	{"deny", NULL, "write access: [deny NETWORK]"},
	{"gzip", NULL, "write compress: on"},
	{"limit_req", NULL, LIMIT_RATE},
	{"limit_req_zone", NULL, LIMIT_RATE},
	{"limit_conn", NULL, LIMIT_CONNECTIONS},
	{"limit_conn_zone", NULL, LIMIT_CONNECTIONS},
	{"limit_rate", NULL, "write limits: {bandwidth: 1m}"},
	{"http2", "listen", "over TLS it is there by itself; in clear text "
	    "write listeners: {PORT: {h2c: on}}"},
	{"stream", NULL, NO_STREAMS},
	{"streams", NULL, NO_STREAMS},
	/* HAProxy */
	{"frontend", NULL, SITES},
	{"frontends", NULL, SITES},
	{"backend", NULL, "groups of servers are named under \"upstreams\""},
	{"backends", NULL, "groups of servers are named under \"upstreams\""},
	{"stick-table", NULL, LIMIT_RATE},
	{"defaults", NULL, "a setting at the top holds for every site"},
	{"global", NULL, "its settings stand at the top of the file"},
	{"bind", NULL, "write listen: PORT, or listen: {https: PORT}"},
	{"use_backend", NULL, PROXY},
	{"default_backend", NULL, PROXY},
	{"timeout", NULL, DURATIONS},
	{"timeouts", NULL, DURATIONS},
	/* Caddy */
	{"rate_limit", NULL, LIMIT_RATE},
	{"reverse_proxy", NULL, PROXY},
	{"file_server", NULL, FILES},
	{"handle", NULL, IN_ROUTES},
	{"handle_path", NULL, "write routes: [{path: /x/*, strip_prefix: /x, "
	    "...}]"},
	{"uri", NULL, "write strip_prefix, add_prefix, rewrite or query"},
	{"http-request", NULL, "write strip_prefix, add_prefix, rewrite or "
	    "query, and proxy: {request_headers: ...}"},
	{"redir", NULL, REDIRECT},
	{"header", "site", RESPONSE_HEADERS},
	{"header", "route", RESPONSE_HEADERS},
	{"headers", "site", RESPONSE_HEADERS},
	{"headers", "route", RESPONSE_HEADERS},
	{NULL, NULL, NULL}
};
