/* Whether a request may pass for what its client showed in the TLS handshake. */
#ifndef HTTP_CLIENT_CERTIFICATE_H
#define HTTP_CLIENT_CERTIFICATE_H

#include "http/txn.h"

/* T's site is chosen. REFUSAL_NONE, or why not; then t->detail is set, too. */
enum refusal client_certificate_check(struct txn *t);

#endif
