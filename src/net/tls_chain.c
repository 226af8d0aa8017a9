/*
 * The certificates between a site's own and the root that clients know, in the
 * order in which they must be sent: each certifies the one before it (RFC 5246
 * section 7.4.2). Files have them in any order, with some too many or too few.
 */
#include "net/tls_pair.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

static bool
tls_chain_is_issuer(X509 *issuer, X509 *subject)
{
	return X509_check_issued(issuer, subject) == X509_V_OK;
}

/* The place in REST of who issued X; -1: none. */
static int
tls_chain_find(STACK_OF(X509) *rest, X509 *x)
{
	for (int i = 0; i < sk_X509_num(rest); i++)
		if (tls_chain_is_issuer(sk_X509_value(rest, i), x))
			return i;
	return -1;
}

static bool
tls_chain_issued_any(X509 *x, X509 *leaf, STACK_OF(X509) *chain)
{
	if (tls_chain_is_issuer(x, leaf))
		return true;
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (sk_X509_value(chain, i) != x &&
		    tls_chain_is_issuer(x, sk_X509_value(chain, i)))
			return true;
	return false;
}

enum tls_chain
tls_chain_sort(X509 *leaf, STACK_OF(X509) *chain)
{
	enum tls_chain found = TLS_CHAIN_GOOD;
	X509 *last = leaf;
	int n = sk_X509_num(chain), done = 0;

	/* A handful, or it is no chain: what a file can hold is not sorted. */
	if (n > TLS_CHAIN_MOST)
		return TLS_CHAIN_STRAY;
	for (; done < n && !tls_chain_is_issuer(last, last); done++) {
		int at = tls_chain_find(chain, last);

		if (at < done)
			break;
		if (at > done) {
			sk_X509_insert(chain, sk_X509_delete(chain, at), done);
			found = TLS_CHAIN_SORTED;
		}
		last = sk_X509_value(chain, done);
	}
	/* What is left may be another way to another root: kept, if it is. */
	for (; done < n; done++)
		if (!tls_chain_issued_any(sk_X509_value(chain, done), leaf,
		    chain))
			return TLS_CHAIN_STRAY;
	return found;
}

/* A private authority's may end where its clients' trust begins; public ones
 * say where whoever issued them is to be found. */
static bool
tls_chain_names_issuer(const X509 *x)
{
	AUTHORITY_INFO_ACCESS *info = X509_get_ext_d2i(x, NID_info_access,
	    NULL, NULL);
	bool names = false;

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(info); i++)
		names |= OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(info, i)->
		    method) == NID_ad_ca_issuers;
	AUTHORITY_INFO_ACCESS_free(info);
	return names;
}

bool
tls_chain_is_cut(X509 *leaf, STACK_OF(X509) *chain, X509_STORE *(*trusted)(
    void *arg), void *arg)
{
	int n = sk_X509_num(chain);
	X509 *last = n > 0 ? sk_X509_value(chain, n - 1) : leaf;
	X509_STORE *store;
	X509_STORE_CTX *ctx;
	X509_OBJECT *root;

	if (!tls_chain_names_issuer(last) || tls_chain_is_issuer(last, last))
		return false;
	store = trusted(arg);
	ctx = X509_STORE_CTX_new();
	/* Without any authority nothing can be said. */
	if (store == NULL || sk_X509_OBJECT_num(X509_STORE_get0_objects(store))
	    == 0 || X509_STORE_CTX_init(ctx, store, NULL, NULL) != 1) {
		X509_STORE_CTX_free(ctx);
		return false;
	}
	root = X509_STORE_CTX_get_obj_by_subject(ctx, X509_LU_X509,
	    X509_get_issuer_name(last));
	X509_OBJECT_free(root);
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return root == NULL;
}
