/*
 * A transaction for tests of variables and templates, made by hand, with the
 * variables themselves. What lies under it (the connection, the identity, the
 * regular expression) is the test's to say.
 */
#ifndef TESTS_HTTP_VARIABLE_WORLD_H
#define TESTS_HTTP_VARIABLE_WORLD_H

#include "base/clock.h"
#include "http/regex.h"
#include "http/site.h"
#include "http/template.h"

#include <arpa/inet.h>

static struct {
	bool is_tls, is_resumed;
	bool has_local;
	struct addr local;
} world_conn;

static bool
world_is_tls(const struct conn *c)
{
	(void)c;
	return world_conn.is_tls;
}

static bool
world_is_resumed(const struct conn *c)
{
	(void)c;
	return world_conn.is_resumed;
}

static const char *
world_version(const struct conn *c)
{
	(void)c;
	return world_conn.is_tls ? "TLSv1.3" : "";
}

static const char *
world_cipher(const struct conn *c)
{
	(void)c;
	return world_conn.is_tls ? "TLS_AES_256_GCM_SHA384" : "";
}

static struct str
world_tls_name(const struct conn *c)
{
	(void)c;
	return STR("asked.example");
}

static bool
world_local_addr(const struct conn *c, struct addr *out)
{
	(void)c;
	*out = world_conn.local;
	return world_conn.has_local;
}

static const struct peer *
world_peer(const struct txn *t)
{
	return &t->conn->peer;
}

static const char *
world_scheme(const struct txn *t)
{
	return t->req.is_https ? "https" : "http";
}

static struct str
world_request_id(struct txn *t)
{
	(void)t;
	return STR("00112233445566778899aabbccddeeff");
}

/* The expression has one named group, the second: (?<id>...). */
static int
world_group(const struct regex *r, struct str name)
{
	(void)r;
	return str_eq(name, STR("id")) ? 2 : -1;
}

#define conn_is_tls world_is_tls
#define conn_tls_is_resumed world_is_resumed
#define conn_tls_version world_version
#define conn_tls_cipher world_cipher
#define conn_tls_name world_tls_name
#define conn_local_addr world_local_addr
#define txn_peer world_peer
#define txn_scheme world_scheme
#define txn_request_id world_request_id
#define regex_group world_group
#include "http/variable.c"

/* GET /a%20b?q=1 for www.example.com, from 192.0.2.7:4711, over HTTP/1.1. */
static struct txn *
world_txn(struct arena *a)
{
	struct txn *t = arena_zalloc(a, sizeof *t);

	t->magic = TXN_MAGIC;
	t->arena = a;
	t->conn = arena_zalloc(a, sizeof *t->conn);
	t->peer = &t->conn->peer;
	t->conn->peer = (struct peer){ .family = AF_INET, .port = 4711,
	    .ip = {192, 0, 2, 7} };
	t->req.method = METHOD_GET;
	t->req.method_name = STR("GET");
	t->req.line = STR("GET /a%20b?q=1 HTTP/1.1");
	t->req.raw = STR("/a%20b?q=1");
	(void)target_parse(a, t->req.raw, SLASH_REFUSE, &t->req.target);
	t->req.path = t->req.target.path;
	t->req.host = STR("www.example.com");
	t->req.major = 1;
	t->req.minor = 1;
	head_init(&t->req.head, a, 4);
	world_conn.is_tls = world_conn.is_resumed = false;
	world_conn.has_local = false;
	return t;
}

#endif
