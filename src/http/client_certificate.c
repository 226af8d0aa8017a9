/*
 * Client certificates, per request: a connection that was secured for one site
 * may ask for another by Host, whatever the certificate of ours covers, and
 * must not get around what that one demands. A proxy that the listener trusts
 * is no exception: it is believed in what it says, and says nothing of this.
 *
 * Who is refused here closes: it has to shake hands anew to be better off.
 */
#include "http/client_certificate.h"

#include "base/panic.h"
#include "http/site.h"
#include "net/tls_verify.h"

enum refusal
client_certificate_check(struct txn *t)
{
	if (t->site == NULL)
		return REFUSAL_NONE; /* which is refused for that */
	switch (tls_verify_judge(t->conn->tls, t->site->tls)) {
	case TLS_CLIENT_GOOD:
		return REFUSAL_NONE;
	case TLS_CLIENT_ELSEWHERE:
		/* RFC 9110 section 15.5.20 */
		t->detail = "it needs a connection of its own";
		return REFUSAL_OTHER_VERIFICATION;
	case TLS_CLIENT_MISSING:
		t->detail = "none was sent";
		return REFUSAL_NO_CERTIFICATE;
	case TLS_CLIENT_REFUSED:
		t->detail = tls_verify_problem(t->conn->tls);
		return REFUSAL_BAD_CERTIFICATE;
	}
	UNREACHABLE();
}
