/* Whether the kernel could encrypt TLS records in our place (kTLS). */
#ifndef NET_KTLS_H
#define NET_KTLS_H

#include "base/str.h"

#include <stdbool.h>

enum ktls {
	KTLS_NO_KERNEL,
	KTLS_NO_OPENSSL,
	KTLS_UNUSED /* both have it */
};

enum ktls ktls_find(void);
/* For -V and the log. */
const char *ktls_text(enum ktls k);
/* Whether LIST, words with blanks between them as the kernel says what TCP can
 * be given on top, has "tls". */
bool ktls_is_listed(struct str list);

#endif
