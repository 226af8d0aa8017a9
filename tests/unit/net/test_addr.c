/* Addresses as values: what operators write, both ways. */
#include "world.h"

#include <arpa/inet.h>

static const char *
text_of(const struct addr *a)
{
	static char text[256];
	struct buf b = buf_fixed(text, sizeof text - 1);

	addr_format(&b, a);
	text[b.n] = '\0';
	return text;
}

/* ---- listening --------------------------------------------------------- */

static void
what_is_listened_on_is_read_and_written_back(void **state)
{
	static const char *const rows[] = {
		"127.0.0.1:80", "0.0.0.0:65535", "[::1]:443",
		"[2001:db8::1]:1", "unix:/run/x.sock"
	};
	struct addr a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_true(addr_parse_listen(str_from(rows[i]), &a, &e));
		assert_string_equal(text_of(&a), rows[i]);
	}
}

static void
a_port_alone_is_every_address(void **state)
{
	static const char *const rows[] = { "80", "*:80" };
	struct addr a, any;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_true(addr_parse_listen(str_from(rows[i]), &a, &e));
		any = a.sa.sa_family == AF_INET6 ? addr_of("[::]:80") :
		    addr_of("0.0.0.0:80");
		assert_true(addr_eq(&a, &any));
	}
}

static void
what_cannot_be_listened_on_is_refused_with_a_reason(void **state)
{
	static const char *const rows[][2] = {
		{ "", "expected a port" },
		{ "0", "not a port" },
		{ "65536", "not a port" },
		{ "+80", "expected a port" },
		{ "99999999999999999999999", "expected a port" },
		{ "127.0.0.1", "expected a port" },
		{ "127.0.0.1:", "expected a port" },
		{ "*", "expected a port" },
		{ ":80", "did you mean \"80\"" },
		{ "http://[::]:80", "has a scheme" },
		{ "443 ssl", "did you mean {https: 443}?" },
		{ "example.com:80", "host names belong in `hosts`" },
		{ "127.0.0.1:http", "not a port" },
		{ "127.0.0.1:0", "not a port" },
		{ "127.0.0.1:80:80", "brackets" },
		{ "::1:80", "brackets" },
		{ "[::1", "without" },
		{ "[::1]", "expected a port" },
		{ "[::1]80", "expected \":PORT\"" },
		{ "[127.0.0.1]:80", "brackets are for IPv6" },
		{ "[80]", "brackets are for IPv6" },
		{ "[]:80", "brackets are for IPv6" },
		{ "1.2.3.4.5:80", "not an address" },
		{ "unix:", "needs a path" }
	};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err e = { "" };

		assert_false(addr_parse_listen(str_from(rows[i][0]), &a, &e));
		if (strstr(e.text, rows[i][1]) == NULL)
			fail_msg("\"%s\": %s", rows[i][0], e.text);
	}
}

static void
a_unix_path_has_a_limit(void **state)
{
	char text[256] = "unix:";
	size_t max = sizeof ((struct sockaddr_un *)0)->sun_path - 1;
	struct addr a;
	struct err e;

	(void)state;
	memset(text + 5, 'x', max);
	assert_true(addr_parse_listen(str_of(text, 5 + max), &a, &e));
	assert_string_equal(text_of(&a), text);
	text[5 + max] = 'x';
	assert_false(addr_parse_listen(str_of(text, 6 + max), &a, &e));
	assert_string_equal(e.text,
	    "the path of a unix socket may have at most 107 bytes");
}

/* Every prefix of every text ends in an answer, and reads nothing behind. */
static void
no_text_is_read_beyond_its_end(void **state)
{
	static const char *const rows[] = {
		"127.0.0.1:80", "[2001:db8::1]:443", "unix:/run/x.sock",
		"backend.internal:8080", "10.0.0.0/8", "2001:db8::/32"
	};
	struct addr a;
	struct cidr c;
	struct str name;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t n = 0; n <= strlen(rows[i]); n++) {
			/* Its own memory, so that a sanitizer sees the end. */
			char *copy = malloc(n + 1);
			char *p = copy + 1;

			memcpy(p, rows[i], n);
			(void)addr_parse_listen(str_of(p, n), &a, NULL);
			(void)addr_parse_server(str_of(p, n), 80, &a, &name,
			    &port, NULL);
			(void)cidr_parse(str_of(p, n), &c, NULL);
			free(copy);
		}
	}
}

/* ---- servers ----------------------------------------------------------- */

static void
a_server_is_an_address_or_a_name(void **state)
{
	static const struct {
		const char *text, *addr, *name;
		uint16_t default_port, port;
	} rows[] = {
		{ "10.0.0.1:8080", "10.0.0.1:8080", NULL, 0, 8080 },
		{ "10.0.0.1", "10.0.0.1:80", NULL, 80, 80 },
		{ "[::1]:90", "[::1]:90", NULL, 80, 90 },
		{ "[::1]", "[::1]:80", NULL, 80, 80 },
		{ "app.internal:8080", NULL, "app.internal", 0, 8080 },
		{ "app_1", NULL, "app_1", 443, 443 },
		{ "unix:/run/app", "unix:/run/app", NULL, 80, 80 }
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct str name;
		struct addr a;
		struct err e;
		uint16_t port;

		if (!addr_parse_server(str_from(rows[i].text),
		        rows[i].default_port, &a, &name, &port, &e))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_int_equal(port, rows[i].port);
		if (rows[i].addr != NULL) {
			assert_string_equal(text_of(&a), rows[i].addr);
			assert_null(name.p);
		} else {
			assert_int_equal(a.len, 0);
			assert_true(str_eq(name, str_from(rows[i].name)));
		}
	}
}

static void
what_is_no_server_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "host", "ho st:80", "host:0", "host:65536", "host:x",
		"::1:80", "[fe80::zz]:80", "[host]:80", "unix:", "a/b:80",
		"user@host:80"
	};
	struct str name;
	struct addr a;
	struct err e;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (addr_parse_server(str_from(rows[i]), 0, &a, &name, &port,
		        &e))
			fail_msg("\"%s\" was taken", rows[i]);
}

static void
a_numeric_host_resolves_to_itself(void **state)
{
	struct addr out[4];
	struct err e;

	(void)state;
	assert_int_equal(addr_resolve(STR("127.0.0.1"), 80, out, 4, &e), 1);
	assert_string_equal(text_of(&out[0]), "127.0.0.1:80");
}

static void
a_name_that_is_nobodys_has_a_reason(void **state)
{
	struct addr out[4];
	struct err e = { "" };

	(void)state;
	/* An empty label: no server is asked (RFC 1035 section 2.3.1). */
	assert_int_equal(addr_resolve(STR("a..b"), 80, out, 4, &e), 0);
	assert_non_null(strstr(e.text, "cannot resolve a..b: "));
}

/* ---- values ------------------------------------------------------------ */

static void
addresses_are_equal_when_all_of_them_is(void **state)
{
	static const char *const rows[] = {
		"1.2.3.4:80", "1.2.3.4:81", "1.2.3.5:80", "[::1]:80",
		"[::1]:81", "[::2]:80", "unix:/a", "unix:/b", "unix:/ab"
	};
	struct addr none = { .len = 0 };

	(void)state;
	assert_true(addr_eq(&none, &none));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct addr a = addr_of(rows[i]);

		assert_false(addr_eq(&a, &none));
		for (size_t k = 0; k < COUNT_OF(rows); k++) {
			struct addr b = addr_of(rows[k]);

			assert_int_equal(addr_eq(&a, &b), i == k);
		}
	}
}

static void
expect_peer(const struct addr *a, const char *ip, uint16_t port)
{
	struct peer p = peer_from(a);
	char text[PEER_TEXT];
	struct buf b = buf_fixed(text, sizeof text);

	peer_format_ip(&b, &p);
	assert_true(str_eq(buf_view(&b), str_from(ip)));
	assert_int_equal(p.port, port);
}

static void
a_peer_is_shown_without_its_port(void **state)
{
	struct addr a = addr_of("1.2.3.4:80"), none = { .len = 0 };
	struct addr b = addr_of("[2001:db8::7]:9"), c = addr_of("unix:/a");
	struct addr mapped = addr_of("[::ffff:192.0.2.1]:5");

	(void)state;
	expect_peer(&a, "1.2.3.4", 80);
	expect_peer(&b, "2001:db8::7", 9);
	expect_peer(&c, "unix:", 0);
	expect_peer(&none, "unix:", 0);
	/* What a socket of [::] says of IPv4 clients. */
	expect_peer(&mapped, "192.0.2.1", 5);
	assert_int_equal(peer_from(&mapped).family, AF_INET);
}

static void
the_longest_address_fits(void **state)
{
	struct addr a = addr_of(
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");

	(void)state;
	expect_peer(&a, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
}

static void
no_address_and_an_unnamed_socket_have_words(void **state)
{
	struct addr none = { .len = 0 };
	struct addr unnamed = { .len = sizeof(sa_family_t) };

	(void)state;
	assert_string_equal(text_of(&none), "(no address)");
	unnamed.sa.sa_family = AF_UNIX;
	assert_string_equal(text_of(&unnamed), "unix:");
}

/* ---- networks ---------------------------------------------------------- */

static void
a_network_contains_what_shares_its_prefix(void **state)
{
	static const struct {
		const char *net, *peer;
		bool is_in;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.1.2:1", true },
		{ "10.0.0.0/8", "11.0.0.0:1", false },
		{ "10.1.2.3", "10.1.2.3:1", true },
		{ "10.1.2.3", "10.1.2.2:1", false },
		{ "10.1.2.3/32", "10.1.2.3:1", true },
		{ "192.168.128.0/17", "192.168.128.9:1", true },
		{ "192.168.128.0/17", "192.168.127.9:1", false },
		{ "0.0.0.0/0", "203.0.113.1:1", true },
		{ "0.0.0.0/0", "[::1]:1", false },
		{ "::/0", "[2001:db8::1]:1", true },
		{ "::/0", "1.2.3.4:1", false },
		{ "2001:db8::/33", "[2001:db8:7fff::1]:1", true },
		{ "2001:db8::/33", "[2001:db8:8000::1]:1", false },
		{ "::1", "[::1]:1", true },
		{ "::1/128", "[::2]:1", false },
		{ "::ffff:10.0.0.1", "10.0.0.1:1", true },
		{ "10.0.0.0/8", "[::ffff:10.1.1.1]:1", true },
		{ "unix:", "unix:/x", true },
		{ "unix:", "127.0.0.1:1", false },
		{ "0.0.0.0/0", "unix:/x", false }
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct addr a = addr_of(rows[i].peer);
		struct peer p = peer_from(&a);
		struct cidr c;
		struct err e;

		assert_true(cidr_parse(str_from(rows[i].net), &c, &e));
		if (cidr_contains(&c, &p) != rows[i].is_in)
			fail_msg("%s, %s", rows[i].net, rows[i].peer);
	}
}

static void
what_is_no_network_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "expected an address or a network" },
		{ "/8", "expected an address or a network" },
		{ "example.com", "expected an address or a network" },
		{ "10.0.0.0/", "0 to 32" },
		{ "10.0.0.0/33", "0 to 32" },
		{ "10.0.0.0/-1", "0 to 32" },
		{ "10.0.0.0/8/8", "0 to 32" },
		{ "::/129", "0 to 128" },
		{ "10.0.0.1/8", "bits set beyond" },
		{ "0.0.0.1/0", "bits set beyond" },
		{ "2001:db8::1/64", "bits set beyond" },
		{ "unix:/x", "expected an address or a network" }
	};
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err e = { "" };

		assert_false(cidr_parse(str_from(rows[i][0]), &c, &e));
		if (strstr(e.text, rows[i][1]) == NULL)
			fail_msg("\"%s\": %s", rows[i][0], e.text);
	}
}

static void
the_scalar_types_parse_into_their_structs(void **state)
{
	struct world *w = *state;
	struct addr a;
	struct cidr c;
	struct err e;

	assert_int_equal(conf_type_listen.size, sizeof a);
	assert_true(conf_type_listen.parse(w->arena, STR("1.2.3.4:5"), &a,
	    &e));
	assert_string_equal(text_of(&a), "1.2.3.4:5");
	assert_int_equal(conf_type_cidr.size, sizeof c);
	assert_true(conf_type_cidr.parse(w->arena, STR("10.0.0.0/8"), &c,
	    &e));
	assert_int_equal(c.bits, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_listened_on_is_read_and_written_back),
		TEST(a_port_alone_is_every_address),
		TEST(what_cannot_be_listened_on_is_refused_with_a_reason),
		TEST(a_unix_path_has_a_limit),
		TEST(no_text_is_read_beyond_its_end),
		TEST(a_server_is_an_address_or_a_name),
		TEST(what_is_no_server_is_refused),
		TEST(a_numeric_host_resolves_to_itself),
		TEST(a_name_that_is_nobodys_has_a_reason),
		TEST(addresses_are_equal_when_all_of_them_is),
		TEST(a_peer_is_shown_without_its_port),
		TEST(the_longest_address_fits),
		TEST(no_address_and_an_unnamed_socket_have_words),
		TEST(a_network_contains_what_shares_its_prefix),
		TEST(what_is_no_network_is_refused),
		TEST(the_scalar_types_parse_into_their_structs)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
