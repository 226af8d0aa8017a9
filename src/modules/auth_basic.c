/*
 * auth_basic: a name and a password, as browsers ask for them (RFC 7617). The
 * users are those of a file that was read with the configuration; whether a
 * password is right is the verifier's to say. The user and who guesses get the
 * same answer in the same time.
 */
#include "base/log.h"
#include "http/admission.h"
#include "http/server.h"
#include "http/user_file.h"
#include "http/verifier.h"
#include "modules/modules.h"

#include <config.h>

struct auth_basic_conf {
	char *realm;
	char *users;
	bool forward;

	/* Made by auth_basic_prepare. */
	struct user_file *file;
	struct str challenge;
};

struct auth_basic_stats {
	uint64_t allowed, missing, wrong;
	struct verifier_stats verifier;
};

static const struct conf_field auth_basic_fields[] = {
	KEY_STR(auth_basic_conf, realm, .dflt = "restricted",
	    .doc = "Name of the protected area, shown by browsers."),
	KEY_PATH(auth_basic_conf, users, .flags = CONF_REQUIRED,
	    .doc = "File of NAME:HASH lines, as `htpasswd -B` writes it; lines "
	    "that begin with # are comments. It is read when the configuration "
	    "is loaded: a change takes a reload. Hashes are those of crypt(5) "
	    "that are still good: bcrypt, SHA-crypt, yescrypt, and what else "
	    "this system's crypt(3) has, as argon2. Others are refused."),
	KEY_BOOL(auth_basic_conf, forward, .dflt = "off",
	    .doc = "Whether an upstream gets the Authorization field of users "
	    "that were let in. off, since the password is for this server: an "
	    "application that is told who it is (request_headers: {set: "
	    "{X-User: $remote_user}}) has no need to know it."),
	KEY_END
};

static const struct conf_schema auth_basic_schema = {
	.name = "auth_basic",
	.doc = "Asks for a name and a password; who has none of those in the "
	    "file gets 401. Hashes are computed by the threads (`threads`), at "
	    "most by half of them; passwords that were right are remembered "
	    "for a minute. When too many wait: 503. Passwords travel in the "
	    "clear: use it over TLS.",
	.size = sizeof(struct auth_basic_conf),
	.fields = auth_basic_fields,
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /admin/*\n"
	    "        auth_basic: {realm: staff, users: conf/users}\n"
	    "        proxy:\n"
	    "          to: http://127.0.0.1:8080\n"
	    "          request_headers: {set: {X-User: $remote_user}}\n"
	    "      - files: /srv/www\n",
};

/* ---- loading ----------------------------------------------------------- */

/* As a quoted-string (RFC 9110 section 5.6.4). What is sent back is UTF-8 (RFC
 * 7617 section 2.1). */
static struct str
auth_basic_challenge(struct arena *a, const char *realm)
{
	struct buf b = buf_in(a);

	buf_z(&b, "Basic realm=\"");
	for (; *realm != '\0'; realm++) {
		if (*realm == '"' || *realm == '\\')
			buf_chr(&b, '\\');
		buf_chr(&b, *realm);
	}
	buf_z(&b, "\", charset=\"UTF-8\"");
	return buf_view(&b);
}

static void
auth_basic_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct auth_basic_conf *c = conf;

	(void)g;
	if (!WEIR_CRYPT) {
		conf_error(load, conf_block_pos(c), "not-built",
		    "this weir was built without libcrypt: it cannot check "
		    "passwords");
		return;
	}
	if (!field_value_is_valid(str_from(c->realm))) {
		conf_error(load, conf_pos_of(c, &c->realm), "bad-value",
		    "a realm cannot hold control characters or end in blanks");
		return;
	}
	c->challenge = auth_basic_challenge(conf_arena(load), c->realm);
	c->file = user_file_read(load, conf_pos_of(c, &c->users), c->users);
}

/* ---- requests ---------------------------------------------------------- */

static enum verdict
auth_basic_refuse(struct txn *t, const struct auth_basic_conf *c,
    const char *word, const char *sentence)
{
	txn_reply_error(t, 401);
	txn_reply_field(t, FIELD_WWW_AUTHENTICATE, c->challenge);
	return admission_refuse(t, word, "%s", sentence);
}

static enum verdict
auth_basic_allow(struct txn *t, const struct auth_basic_conf *c,
    struct auth_basic_stats *stats, struct str user)
{
	stats->allowed++;
	t->user = user;
	head_withhold(&t->req.head, STR("authorization"), !c->forward);
	return admission_allow(t);
}

/* Let in for something else: nobody looks at who it says it is, and it is not
 * for an upstream to take it for what was looked at here. */
static enum verdict
auth_basic_pass(struct txn *t, const struct auth_basic_conf *c)
{
	t->user = STR("");
	head_withhold(&t->req.head, STR("authorization"), !c->forward);
	return STEP_NEXT;
}

static enum verdict
auth_basic_busy(struct txn *t)
{
	txn_fail(t, 503, "auth_busy", "too many passwords wait to be checked");
	txn_reply_field(t, FIELD_RETRY_AFTER, STR("1"));
	return STEP_STOP;
}

/* What a request keeps while its password is checked. */
struct auth_basic_login {
	struct credentials credentials;
	const struct ask *ask;
};

static struct auth_basic_login *
auth_basic_begin(struct txn *t, const struct auth_basic_conf *c)
{
	struct auth_basic_login *login = arena_zalloc(t->arena, sizeof *login);
	struct verifier *v = server_module(t->server, MODULE_auth_basic);
	const char *hash;
	bool is_known;

	/* Two of them could be read as two users. */
	if (head_count(&t->req.head, FIELD_AUTHORIZATION) != 1 ||
	    !credentials_read(t->arena, head_value(&t->req.head,
	        FIELD_AUTHORIZATION), &login->credentials))
		return NULL;
	hash = user_file_hash(c->file, login->credentials.user, &is_known);
	login->ask = verifier_ask(v, t, hash, is_known, &login->credentials);
	return login;
}

static enum verdict
auth_basic_step(struct txn *t, const void *conf)
{
	const struct auth_basic_conf *c = conf;
	struct auth_basic_stats *stats = server_stats(t->server,
	    MODULE_auth_basic);
	struct auth_basic_login *login = *txn_slot(t);

	if (admission_is_granted(t))
		return auth_basic_pass(t, c);
	if (login == NULL) {
		t->user = STR("");
		login = *txn_slot(t) = auth_basic_begin(t, c);
	}
	if (login == NULL) {
		stats->missing++;
		return auth_basic_refuse(t, c, "no_credentials",
		    "the request has no name and password");
	}
	switch (login->ask->state) {
	case ASK_WAITS:
		return STEP_WAIT;
	case ASK_RIGHT:
		return auth_basic_allow(t, c, stats, login->credentials.user);
	case ASK_WRONG:
		stats->wrong++;
		return auth_basic_refuse(t, c, "bad_credentials",
		    "the name or the password is wrong");
	case ASK_BUSY:
		return auth_basic_busy(t);
	}
	UNREACHABLE();
}

static void *
auth_basic_start(struct server *s)
{
	struct auth_basic_stats *stats = server_stats(s, MODULE_auth_basic);

	return verifier_new(s->net->pool, &stats->verifier);
}

static void
auth_basic_stop(struct server *s, void *state)
{
	(void)s;
	verifier_end(state);
}

#define RESULT(member, word) \
	COUNTER_LABEL(auth_basic_stats, member, COUNTER_TOTAL, \
	    "weir_auth_basic_total", "result=\"" word "\"", \
	    "Requests by what became of their name and password.")
#define ROW(member, name, help) \
	COUNTER(auth_basic_stats, verifier.member, COUNTER_TOTAL, \
	    "weir_auth_basic_" name "_total", help)

static const struct counter_row auth_basic_rows[] = {
	RESULT(allowed, "right"),
	RESULT(missing, "missing"),
	RESULT(wrong, "wrong"),
	RESULT(verifier.busy, "busy"),
	ROW(computed, "hashes", "Hashes of passwords that were computed."),
	ROW(remembered, "remembered", "Passwords that were known to be right."),
	ROW(shared, "shared", "Requests that waited for another's hash."),
	COUNTER_END
};
static const struct counter_set auth_basic_counters = {
	.name = "auth_basic",
	.size = sizeof(struct auth_basic_stats),
	.rows = auth_basic_rows,
};

const struct module auth_basic_module = {
	.name = "auth_basic",
	.phase = PHASE_AUTH,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &auth_basic_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "Asks for a name and a password.",
	.prepare = auth_basic_prepare,
	.step = auth_basic_step,
	.start = auth_basic_start,
	.stop = auth_basic_stop,
	.counters = &auth_basic_counters,
};
