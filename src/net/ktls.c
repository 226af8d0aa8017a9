/*
 * Finds out whether there is kTLS, by which the kernel encrypts what is sent
 * and sendfile(2) serves TLS; it makes no use of it.
 *
 * Why not: OpenSSL gives the kernel its keys through the BIO of the connection.
 * Ours is one for all, over memory, and holds back what a full socket does not
 * take. All of that has to be gone before the keys are given, and from then on
 * every byte is plaintext to us, of which alerts and tickets need a type beside
 * them that what is held cannot keep. Whoever is mistaken there sends in clear
 * text; so it is not done before it has run on a kernel that has it.
 */
#include "net/ktls.h"

#include <fcntl.h>
#include <openssl/opensslconf.h>
#include <unistd.h>

/* Asking for it by setsockopt(2) would load a module where there is one. */
#define KTLS_LIST "/proc/sys/net/ipv4/tcp_available_ulp"

#ifdef OPENSSL_NO_KTLS
#define KTLS_IN_OPENSSL false
#else
#define KTLS_IN_OPENSSL true
#endif

static bool
ktls_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

bool
ktls_is_listed(struct str list)
{
	size_t at = 0;

	while (at < list.n) {
		size_t end = at;

		while (end < list.n && !ktls_is_blank(list.p[end]))
			end++;
		if (str_eq(str_slice(list, at, end), STR("tls")))
			return true;
		at = end + 1;
	}
	return false;
}

static bool
ktls_is_in_kernel(void)
{
	char text[256];
	int fd = open(KTLS_LIST, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false; /* a kernel before 4.13 */
	n = read(fd, text, sizeof text);
	close(fd);
	return n > 0 && ktls_is_listed(str_of(text, (size_t)n));
}

enum ktls
ktls_find(void)
{
	if (!ktls_is_in_kernel())
		return KTLS_NO_KERNEL;
	return KTLS_IN_OPENSSL ? KTLS_UNUSED : KTLS_NO_OPENSSL;
}

const char *
ktls_text(enum ktls k)
{
	static const char *const texts[] = {
		[KTLS_NO_KERNEL] =
		    "no: the kernel lists no tls in tcp_available_ulp",
		[KTLS_NO_OPENSSL] = "no: OpenSSL was built without it",
		[KTLS_UNUSED] = "not used, though kernel and OpenSSL have it",
	};

	return texts[k];
}
