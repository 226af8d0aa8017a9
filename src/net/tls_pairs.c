/*
 * The certificates of a load: each is read once, however many sites and blocks
 * name it, and all are known to whoever watches their files.
 */
#include "net/tls_pair.h"

#include "base/buf.h"
#include "base/map.h"

static void
tls_pairs_on_end(void *arg)
{
	struct tls_pairs *pairs = arg;

	for (size_t i = 0; i < pairs->n; i++)
		tls_bundle_free(&pairs->items[i]->bundle);
	tls_key_reader_close(&pairs->reader);
	SSL_CTX_free(pairs->scratch);
}

struct tls_pairs *
tls_pairs_new(struct conf_load *load, X509_STORE *(*trusted)(void *arg),
    void *arg)
{
	struct arena *a = conf_arena(load);
	struct tls_pairs *pairs = arena_zalloc(a, sizeof *pairs);

	pairs->load = load;
	pairs->by_files = map_new(a, 16);
	pairs->scratch = tls_context_open(TLS_server_method());
	pairs->trusted = trusted;
	pairs->arg = arg;
	arena_on_end(a, tls_pairs_on_end, pairs);
	return pairs;
}

static struct str
tls_pairs_name(struct arena *a, const struct tls_pair *words)
{
	struct buf b = buf_in(a);

	/* A path has no NUL in it. */
	buf_z(&b, words->certificate);
	buf_chr(&b, '\0');
	buf_z(&b, words->key != NULL ? words->key : "");
	buf_chr(&b, '\0');
	buf_z(&b, words->password != NULL ? words->password : "");
	return buf_view(&b);
}

static void
tls_pairs_add(struct tls_pairs *pairs, struct tls_pair *pair)
{
	if (pairs->n == pairs->cap) {
		size_t cap = pairs->cap == 0 ? 16 : 2 * pairs->cap;
		struct tls_pair **more = arena_alloc(conf_arena(pairs->load),
		    cap * sizeof(struct tls_pair *));

		if (pairs->n > 0)
			memcpy(more, pairs->items,
			    pairs->n * sizeof(struct tls_pair *));
		pairs->items = more;
		pairs->cap = cap;
	}
	pairs->items[pairs->n++] = pair;
}

struct tls_pair *
tls_pairs_get(struct tls_pairs *pairs, const struct tls_pair *words)
{
	struct arena *a = conf_arena(pairs->load);
	struct str name = tls_pairs_name(a, words);
	struct tls_pair *pair = map_get(pairs->by_files, name);

	if (pair == NULL) {
		pair = arena_zalloc(a, sizeof *pair);
		*pair = *words;
		map_put(pairs->by_files, name, pair);
		tls_renewal_stamp(pair, &pair->used);
		pair->seen = pair->used;
		if (tls_pair_load(pairs->load, pairs, pair))
			tls_pairs_add(pairs, pair);
	}
	return pair->bundle.leaf != NULL ? pair : NULL;
}
