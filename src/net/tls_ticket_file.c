/*
 * Ticket keys out of files, which a fleet of machines shares, as nginx takes
 * them: 48 bytes (name, AES-128, HMAC) or 80 (name, HMAC, AES-256). Read with
 * the configuration, by the master; the texts are wiped.
 */
#include "net/tls_context.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

enum { TLS_TICKET_SHORT = 48, TLS_TICKET_LONG = 80 };

/* Whoever reads it can read all that was said under it (RFC 5077 section 5.6),
 * and pose as us. Only a file on the disk has a mode. */
static void
tls_ticket_file_lint_mode(struct conf_load *load, struct conf_pos pos,
    const char *path)
{
	struct stat st;

	if (conf_source_of(load) == &conf_source_disk &&
	    stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		conf_warning(load, pos, "readable-key",
		    "everybody on this machine can read the key %s; "
		    "chmod 600 would stop that", path);
}

static void
tls_ticket_file_cut(const char *p, size_t n, struct tls_ticket_key *out)
{
	bool is_short = n == TLS_TICKET_SHORT;

	*out = (struct tls_ticket_key){ .bytes = is_short ? 16 : 32 };
	memcpy(out->name, p, 16);
	p += 16;
	memcpy(is_short ? out->aes : out->hmac, p, out->bytes);
	p += out->bytes;
	memcpy(is_short ? out->hmac : out->aes, p, out->bytes);
}

static bool
tls_ticket_file_read_one(struct conf_load *load, struct conf_pos pos,
    const char *path, struct tls_ticket_key *out)
{
	struct str text;

	if (!conf_read(load, pos, path, &text))
		return false;
	if (text.n != TLS_TICKET_SHORT && text.n != TLS_TICKET_LONG) {
		conf_error(load, pos, "bad-key", "%s has %zu bytes; a ticket "
		    "key has 80 or 48, made by `openssl rand 80`", path,
		    text.n);
		return false;
	}
	tls_ticket_file_cut(text.p, text.n, out);
	/* The source copied it into the load's arena, which outlives us. */
	OPENSSL_cleanse((char *)(uintptr_t)text.p, text.n);
	tls_ticket_file_lint_mode(load, pos, path);
	return true;
}

bool
tls_ticket_keys_read(struct conf_load *load,
    const struct tls_ticket_conf *conf, struct tls_ticket_keys *out)
{
	const struct conf_list *files = &conf->key_files;
	bool ok = true;

	*out = (struct tls_ticket_keys){ .is_given = true };
	if (files->n > TLS_TICKET_KEYS) {
		conf_error(load, files->pos[TLS_TICKET_KEYS], "bad-value",
		    "there can be %d keys at most", TLS_TICKET_KEYS);
		return false;
	}
	for (size_t i = 0; i < files->n; i++)
		ok &= tls_ticket_file_read_one(load, files->pos[i],
		    CONF_ITEM(files, char *, i), &out->key[out->n++]);
	for (size_t i = 0; ok && i < files->n; i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(out->key[i].name, out->key[k].name, 16) ==
			    0)
				conf_warning(load, files->pos[i],
				    "duplicate-key", "this key has the name "
				    "of an earlier one, which will be used "
				    "in its place");
	return ok;
}
