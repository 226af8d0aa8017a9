/* What a connection begins with, where TLS is due. */
#include "world.h"

#include "net/tls_hello.h"

static const struct {
	struct str bytes;
	enum tls_hello what;
} hellos[] = {
	{STR_INIT("\x16\x03\x01\x02\x00\x01"), TLS_HELLO_TLS},
	{STR_INIT("\x16 nonsense that OpenSSL refuses"), TLS_HELLO_TLS},
	{STR_INIT("GET / HTTP/1.1\r\n\r\n"), TLS_HELLO_HTTP},
	{STR_INIT("VERSION-CONTROL /x HTTP/1.1\r\n"), TLS_HELLO_HTTP},
	{STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), TLS_HELLO_HTTP},
	{STR_INIT("GET\r\n"), TLS_HELLO_OTHER},
	{STR_INIT("get / HTTP/1.1\r\n"), TLS_HELLO_OTHER},
	{STR_INIT(" / HTTP/1.1\r\n"), TLS_HELLO_OTHER},
	{STR_INIT("\r\nGET / HTTP/1.1\r\n"), TLS_HELLO_OTHER},
	{STR_INIT("SSH-2.0-OpenSSH_9.2\r\n"), TLS_HELLO_OTHER},
	/* An SSLv2 ClientHello (RFC 8446 appendix D.5). */
	{STR_INIT("\x80\x2e\x01\x03\x01"), TLS_HELLO_OTHER},
	{STR_INIT("\x17\x03\x03\x00\x10"), TLS_HELLO_OTHER},
	{STR_INIT("\0"), TLS_HELLO_OTHER},
	{STR_INIT("A-METHOD-OF-TWENTY-THREE GET"), TLS_HELLO_OTHER},
	{STR_INIT("GETGETGETGETGETGETGETGE"), TLS_HELLO_MORE},
	{STR_INIT("GETGETGETGETGETGETGETGET"), TLS_HELLO_OTHER},
	{STR_INIT(""), TLS_HELLO_MORE},
};

/* Of every beginning it is said that more is needed, or what the whole is. */
static void
hellos_are_told_apart_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hellos); i++) {
		const struct str *s = &hellos[i].bytes;
		bool is_told = false;

		for (size_t n = 0; n <= s->n; n++) {
			enum tls_hello what = tls_hello_of(s->p, n);

			if (what != TLS_HELLO_MORE)
				assert_int_equal(what, hellos[i].what);
			assert_true(!is_told || what != TLS_HELLO_MORE);
			is_told = what != TLS_HELLO_MORE;
		}
		assert_int_equal(tls_hello_of(s->p, s->n), hellos[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_are_told_apart_in_any_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
