/*
 * Variables: what strings of the configuration can say of a transaction. The
 * list is variable.def; here is what its rows expand to and what needs more
 * than an expression. Runs for every request that is logged, so values go
 * straight to where they are wanted and nothing is allocated.
 */
#include "base/clock.h"
#include "http/credentials.h"
#include "http/module.h"
#include "http/query.h"
#include "http/regex.h"
#include "http/site.h"
#include "http/template.h"
#include "net/tls_peer.h"

#include <limits.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* ---- kinds of values --------------------------------------------------- */

static void
variable_put(struct buf *out, struct str s)
{
	if (s.n > 0)
		buf_str(out, s);
}

static void
variable_put_word(struct buf *out, const char *z)
{
	variable_put(out, str_from(z));
}

static void
variable_put_seconds(struct buf *out, uint64_t us)
{
	unsigned ms = (unsigned)(us / 1000 % 1000);
	char digits[4] = { '.', (char)('0' + ms / 100),
	    (char)('0' + ms / 10 % 10), (char)('0' + ms % 10) };

	buf_u64(out, us / 1000000);
	buf_put(out, digits, sizeof digits);
}

static const struct upstream_report *
variable_report(const struct txn *t)
{
	static const struct upstream_report none;

	return t->upstream != NULL ? t->upstream : &none;
}

/* ---- fields ------------------------------------------------------------ */

static bool
variable_is_field(const struct field *f, const struct variable_arg *arg)
{
	return f->id == arg->id &&
	    (f->id != FIELD_OTHER || str_case_eq(f->name, arg->name));
}

/* Lines of one name are one list (RFC 9110 section 5.3), but for cookies
 * (RFC 9113 section 8.2.3) and what is no list. */
static void
variable_put_field(const struct head *h, const struct variable_arg *arg,
    struct buf *out)
{
	struct str between = arg->id == FIELD_COOKIE ? STR("; ") : STR(", ");
	bool is_first = true;

	if (h->n == 0 || (arg->id != FIELD_OTHER && !head_has(h, arg->id)))
		return;
	HEAD_EACH(f, h) {
		if (!variable_is_field(f, arg))
			continue;
		if (!is_first)
			buf_str(out, between);
		is_first = false;
		variable_put(out, f->value);
		if ((field_flags(f->id) & FIELD_SINGLE) != 0)
			return;
	}
}

static void
variable_http(struct txn *t, const struct variable_arg *arg, struct buf *out)
{
	variable_put_field(&t->req.head, arg, out);
}

static void
variable_sent_http(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	variable_put_field(&t->res.head, arg, out);
}

/* Heads and trailers that there may not be. */
static void
variable_put_field_of(const struct head *h, const struct variable_arg *arg,
    struct buf *out)
{
	if (h != NULL)
		variable_put_field(h, arg, out);
}

static void
variable_sent_trailer(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	variable_put_field_of(t->res.trailers, arg, out);
}

static void
variable_upstream_http(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	variable_put_field_of(variable_report(t)->head, arg, out);
}

static void
variable_upstream_trailer(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	variable_put_field_of(variable_report(t)->trailers, arg, out);
}

/* "name=value; Path=/": the first line of that name. */
static void
variable_upstream_cookie(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	const struct head *h = variable_report(t)->head;

	if (h == NULL)
		return;
	HEAD_EACH(f, h) {
		struct str pair = str_slice(f->value, 0,
		    str_index(f->value, ';', 0));
		size_t equals = str_index(pair, '=', 0);

		if (f->id != FIELD_SET_COOKIE || equals == SIZE_MAX ||
		    !str_eq(str_trim(str_slice(pair, 0, equals)), arg->name))
			continue;
		variable_put(out, str_trim(str_slice(pair, equals + 1,
		    pair.n)));
		return;
	}
}

static void
variable_cookie(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	if (!head_has(&t->req.head, FIELD_COOKIE))
		return;
	HEAD_EACH(f, &t->req.head) {
		struct str value;

		if (f->id != FIELD_COOKIE)
			continue;
		value = field_cookie(f->value, arg->name);
		if (value.p == NULL)
			continue;
		variable_put(out, value);
		return;
	}
}

/* Whom auth_basic has verified. Where it did not look, whom the client claims
 * to be. */
static void
variable_remote_user(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	(void)arg;
	if (t->user.p != NULL)
		variable_put(out, t->user);
	else
		credentials_put_user(out, head_value(&t->req.head,
		    FIELD_AUTHORIZATION));
}

/* ---- the target -------------------------------------------------------- */

static void
variable_host(struct txn *t, const struct variable_arg *arg, struct buf *out)
{
	(void)arg;
	if (t->req.host.n == 0 && t->site != NULL)
		variable_put(out, t->site->name);
	else
		variable_put(out, t->req.host);
}

/* Also of an absolute target: redirects are made of it. */
static void
variable_request_uri(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	const struct target *target = &t->req.target;

	(void)arg;
	if (target->form != TARGET_ABSOLUTE) {
		variable_put(out, t->req.raw);
		return;
	}
	variable_put(out, target->raw_path);
	if (target->has_query)
		buf_chr(out, '?');
	variable_put(out, target->query);
}

static void
variable_arg(struct txn *t, const struct variable_arg *arg, struct buf *out)
{
	struct str rest = t->req.target.query, pair, name;

	while (query_next(&rest, &pair, &name)) {
		if (name.n == pair.n || !str_eq(name, arg->name))
			continue;
		variable_put(out, query_value(pair));
		return;
	}
}

static void
variable_put_group(const struct txn *t, size_t i, struct buf *out)
{
	if (i < t->n_captures && t->captures[2 * i] != SIZE_MAX)
		variable_put(out, str_slice(t->captured, t->captures[2 * i],
		    t->captures[2 * i + 1]));
}

static void
variable_1(struct txn *t, const struct variable_arg *arg, struct buf *out)
{
	variable_put_group(t, (size_t)(arg->name.p[0] - '0'), out);
}

static void
variable_capture(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	int i = t->capture_names != NULL ?
	    regex_group(t->capture_names, arg->name) : -1;

	if (i >= 0)
		variable_put_group(t, (size_t)i, out);
}

/* ---- the connection ---------------------------------------------------- */

static void
variable_server_protocol(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	char text[] = "HTTP/0.0";

	(void)arg;
	text[5] = (char)('0' + t->req.major);
	text[7] = (char)('0' + t->req.minor);
	buf_put(out, text, sizeof text - 1);
}

static void
variable_remote_addr(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	(void)arg;
	peer_format_ip(out, txn_peer(t));
}

/* Who connected, whatever a PROXY header says. */
static const struct peer *
variable_socket_peer(const struct txn *t)
{
	return t->conn->via != NULL ? &t->conn->via->proxy : &t->conn->peer;
}

static void
variable_realip_remote_addr(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	(void)arg;
	peer_format_ip(out, variable_socket_peer(t));
}

static void
variable_proxy_protocol_addr(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	(void)arg;
	if (t->conn->via != NULL)
		peer_format_ip(out, &t->conn->peer);
}

static void
variable_proxy_protocol_server_addr(struct txn *t,
    const struct variable_arg *arg, struct buf *out)
{
	(void)arg;
	if (t->conn->via != NULL)
		peer_format_ip(out, &t->conn->via->destination);
}

static void
variable_server_addr(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	struct addr addr;
	struct peer peer;

	(void)arg;
	if (!conn_local_addr(t->conn, &addr))
		return;
	peer = peer_from(&addr);
	peer_format_ip(out, &peer);
}

static void
variable_server_port(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	struct addr addr;

	(void)arg;
	if (conn_local_addr(t->conn, &addr) && addr.sa.sa_family != AF_UNIX)
		buf_u64(out, peer_from(&addr).port);
}

static void
variable_hostname(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	char name[HOST_NAME_MAX + 1];

	(void)t;
	(void)arg;
	if (gethostname(name, sizeof name) == 0)
		variable_put(out, str_of(name, strnlen(name, sizeof name)));
}

static void
variable_proxy_add_x_forwarded_for(struct txn *t,
    const struct variable_arg *arg, struct buf *out)
{
	struct str chain = head_joined(&t->req.head, FIELD_X_FORWARDED_FOR);

	(void)arg;
	variable_put(out, chain);
	if (chain.n > 0)
		buf_put(out, ", ", 2);
	peer_format_ip(out, txn_peer(t));
}

/* Nothing over a unix socket, and when the connection is gone. */
static bool
variable_tcp_info(const struct txn *t, struct tcp_info *info)
{
	socklen_t n = sizeof *info;

	memset(info, 0, n);
	return t->conn->peer.family != AF_UNIX && !t->conn->closing &&
	    getsockopt(t->conn->io.fd, IPPROTO_TCP, TCP_INFO, info, &n) == 0;
}

#define TCP_FACT(id, member) \
	static void \
	variable_##id(struct txn *t, const struct variable_arg *arg, \
	    struct buf *out) \
	{ \
		struct tcp_info info; \
\
		(void)arg; \
		if (variable_tcp_info(t, &info)) \
			buf_u64(out, info.member); \
	}
TCP_FACT(tcpinfo_rtt, tcpi_rtt)
TCP_FACT(tcpinfo_rttvar, tcpi_rttvar)
TCP_FACT(tcpinfo_snd_cwnd, tcpi_snd_cwnd)
TCP_FACT(tcpinfo_rcv_space, tcpi_rcv_space)
#undef TCP_FACT

static void
variable_ssl_session_reused(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	(void)arg;
	if (conn_is_tls(t->conn))
		buf_chr(out, conn_tls_is_resumed(t->conn) ? 'r' : '.');
}

/* ---- time and the upstream --------------------------------------------- */

static uint64_t
variable_age_us(const struct txn *t)
{
	uint64_t now = clock_us();

	return now > t->began_us ? now - t->began_us : 0;
}

/* A kept connection took no time; one that failed took none that counts. */
static bool
variable_is_connected(const struct upstream_report *report)
{
	return report->attempts > 0 && (report->phase == NULL ||
	    strcmp(report->phase, "connect") != 0);
}

/* ---- rows -------------------------------------------------------------- */

#define EXPAND(id, statement) \
	static void \
	variable_##id(struct txn *t, const struct variable_arg *arg, \
	    struct buf *out) \
	{ \
		const struct upstream_report *report = variable_report(t); \
\
		(void)report; \
		(void)arg; \
		statement; \
	}
#define TEXT(id, value, doc) EXPAND(id, variable_put(out, value))
#define WORD(id, value, doc) EXPAND(id, variable_put_word(out, value))
#define TLS(id, fact, doc) \
	EXPAND(id, tls_peer_put(t->conn->tls, TLS_FACT_##fact, out))
#define NUMBER(id, when, value, doc) \
	EXPAND(id, if (when) buf_u64(out, value))
#define SECONDS(id, when, value, doc) \
	EXPAND(id, if (when) variable_put_seconds(out, value))
#define CALL(id, doc)
#define PREFIX(id, doc)
#include "http/variable.def"
#undef TEXT
#undef WORD
#undef TLS
#undef NUMBER
#undef SECONDS
#undef CALL
#undef PREFIX

static const struct variable variables[] = {
#define TEXT(id, value, doc) {#id, variable_##id, doc},
#define WORD(id, value, doc) {#id, variable_##id, doc},
#define TLS(id, fact, doc) {#id, variable_##id, doc},
#define NUMBER(id, when, value, doc) {#id, variable_##id, doc},
#define SECONDS(id, when, value, doc) {#id, variable_##id, doc},
#define CALL(id, doc) {#id, variable_##id, doc},
#define PREFIX(id, doc) {#id "_", variable_##id, doc},
#include "http/variable.def"
	{NULL, NULL, NULL}
};

const struct variable *
variable_table(size_t i)
{
	static const struct variable none[] = {{NULL, NULL, NULL}};

	if (i == 0)
		return variables;
	if (i > module_count)
		return NULL;
	return modules[i - 1]->variables != NULL ?
	    modules[i - 1]->variables : none;
}

static bool
variable_is_prefix(const struct variable *v)
{
	return str_has_suffix(str_from(v->name), STR("_"));
}

/* Prefixes stand for what follows them, so never for themselves. */
static bool
variable_is_named(const struct variable *v, struct str name)
{
	struct str own = str_from(v->name);

	if (variable_is_prefix(v))
		return str_has_prefix(name, own) && name.n > own.n;
	return str_eq(own, name);
}

/* A name of its own goes before a prefix. */
static const struct variable *
variable_row(struct str name)
{
	const struct variable *table, *found = NULL;

	for (size_t i = 0; (table = variable_table(i)) != NULL; i++)
		for (const struct variable *v = table; v->name != NULL; v++) {
			if (!variable_is_named(v, name))
				continue;
			if (!variable_is_prefix(v))
				return v;
			if (found == NULL)
				found = v;
		}
	return found;
}

bool
variable_is_of_query(const struct variable *v)
{
	return v->write == variable_args || v->write == variable_arg ||
	    v->write == variable_query_string || v->write == variable_is_args ||
	    v->write == variable_request_uri;
}

/* "user_agent" is the field user-agent; a field with "_" in its name has no
 * variable, so it cannot pass for the one with "-". */
static void
variable_prepare_field(struct arena *a, struct variable_arg *arg)
{
	char *dashed = arena_memdup(a, arg->name.p, arg->name.n);

	for (size_t i = 0; i < arg->name.n; i++)
		if (dashed[i] == '_')
			dashed[i] = '-';
	arg->name.p = dashed;
	arg->id = field_lookup(arg->name);
}

const struct variable *
variable_find(struct arena *a, struct str name, struct variable_arg *arg)
{
	bool is_group = name.n == 1 && name.p[0] >= '1' && name.p[0] <= '9';
	const struct variable *v = variable_row(is_group ? STR("1") : name);

	*arg = (struct variable_arg){ .name = name };
	if (v == NULL || !variable_is_prefix(v))
		return v;
	arg->name = str_slice(name, strlen(v->name), name.n);
	if (v->write == variable_http || v->write == variable_sent_http ||
	    v->write == variable_sent_trailer ||
	    v->write == variable_upstream_http ||
	    v->write == variable_upstream_trailer)
		variable_prepare_field(a, arg);
	return v;
}
