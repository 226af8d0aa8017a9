/* Provenance: whom a field names, and how far it is believed. */
#include "http/provenance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct cidr networks[2];
static const struct conf_list proxies = { .n = 2, .items = networks };

static int
set_up(void **state)
{
	struct err e;

	(void)state;
	return cidr_parse(STR("10.0.0.0/8"), &networks[0], &e) &&
	    cidr_parse(STR("2001:db8:ff::/48"), &networks[1], &e) ? 0 : -1;
}

/* The hops, last first; "!" where what follows is no address. LINES end with
 * NULL. */
static const char *
reading(struct arena *a, const char *name, const char *const *lines, bool once)
{
	struct peer hops[PROVENANCE_HOPS];
	struct buf b = buf_in(a);
	struct head h;
	bool is_whole;
	unsigned n;

	head_init(&h, a, 4);
	for (; *lines != NULL; lines++)
		head_add(&h, field_lookup(str_from(name)), str_from(name),
		    str_from(*lines));
	n = provenance_read(&h, field_lookup(str_from(name)), str_from(name),
	    &proxies, once, hops, &is_whole);
	for (unsigned i = 0; i < n; i++) {
		buf_z(&b, i > 0 ? " " : "");
		peer_format_ip(&b, &hops[i]);
		if (hops[i].port != 0)
			buf_printf(&b, "#%u", hops[i].port);
	}
	buf_z(&b, is_whole ? "" : "!");
	buf_chr(&b, '\0');
	return b.p;
}

static void
expect(const char *name, const char *line, const char *want)
{
	const char *lines[] = { line, NULL };
	struct arena *a = arena_new();

	assert_string_equal(reading(a, name, lines, false), want);
	arena_end(a);
}

#define XFF "X-Forwarded-For"

static void
the_client_is_the_last_who_is_no_proxy(void **state)
{
	(void)state;
	expect(XFF, "192.0.2.1", "192.0.2.1");
	expect(XFF, "192.0.2.66, 192.0.2.1, 10.0.0.1", "10.0.0.1 192.0.2.1");
	expect(XFF, "spoofed\"; ,192.0.2.1,10.0.0.1,\t10.0.0.2",
	    "10.0.0.2 10.0.0.1 192.0.2.1");
	expect(XFF, "10.0.0.1, 10.0.0.2", "10.0.0.2 10.0.0.1");
	expect(XFF, "2001:db8::1, 2001:db8:ff::1", "2001:db8:ff::1 "
	    "2001:db8::1");
	expect("CF-Connecting-IP", "192.0.2.1", "192.0.2.1");
}

static void
several_lines_are_one_list(void **state)
{
	const char *lines[] = { "192.0.2.66", "192.0.2.1, 10.0.0.1",
		"10.0.0.2", NULL };
	struct arena *a = arena_new();

	(void)state;
	assert_string_equal(reading(a, XFF, lines, false),
	    "10.0.0.2 10.0.0.1 192.0.2.1");
	assert_string_equal(reading(a, XFF, lines, true), "10.0.0.2");
	arena_end(a);
}

static void
addresses_are_written_in_many_ways(void **state)
{
	(void)state;
	expect(XFF, "192.0.2.1:8080", "192.0.2.1#8080");
	expect(XFF, "[2001:db8::1]:443", "2001:db8::1#443");
	expect(XFF, "[2001:DB8::1]", "2001:db8::1");
	expect(XFF, "::ffff:192.0.2.1", "192.0.2.1");
	expect(XFF, " , 192.0.2.1 ,, ", "192.0.2.1");
	expect(XFF, "", "");
}

static void
what_is_no_address_ends_the_reading(void **state)
{
	static const char *const bad[] = {
		"unknown", "_hidden", "192.0.2", "192.0.2.256", "192.0.2.01",
		"192.0.2.1 ", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:x",
		"[2001:db8::1", "2001:db8::1]", "[192.0.2.1]", "[::1]x",
		"[::1]:", "fe80::1%eth0", "::1::", "\"192.0.2.1\"", "a b",
		"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char line[160];

		snprintf(line, sizeof line, "192.0.2.9, %s, 10.0.0.1",
		    bad[i]);
		expect(XFF, line, strcmp(bad[i], "192.0.2.1 ") == 0 ?
		    "10.0.0.1 192.0.2.1" : "10.0.0.1!");
	}
}

static void
forwarded_is_read_as_rfc_7239_writes_it(void **state)
{
	(void)state;
	expect("Forwarded", "for=192.0.2.1", "192.0.2.1");
	expect("Forwarded", "For=192.0.2.1;proto=https, FOR=10.0.0.1;by=x",
	    "10.0.0.1 192.0.2.1");
	expect("Forwarded", "proto=http; for=\"[2001:db8::1]:4711\"",
	    "2001:db8::1#4711");
	expect("Forwarded", "for=\"192.0.2.1:_x\"", "192.0.2.1");
	expect("Forwarded", "for=unknown, for=10.0.0.1", "10.0.0.1!");
	expect("Forwarded", "for=_a, for=10.0.0.1", "10.0.0.1!");
	expect("Forwarded", "by=192.0.2.1", "!");
	expect("Forwarded", "for=2001:db8::1", "!");
	expect("Forwarded", "for=\"2001:db8::1\"", "!");
	expect("Forwarded", "for=192.0.2.1;for=192.0.2.2", "!");
	expect("Forwarded", "for=\"192.0.2.\\1\"", "!");
	expect("Forwarded", "for=\"192.0.2.1", "!");
	expect("Forwarded", "for =192.0.2.1", "!");
}

/* The client writes the first element, the proxy the second. */
static void
an_open_quote_hides_nothing_behind_it(void **state)
{
	(void)state;
	expect("Forwarded", "for=\", for=192.0.2.1, for=10.0.0.1",
	    "10.0.0.1 192.0.2.1");
	expect("Forwarded", "for=192.0.2.66;host=\"\\, for=192.0.2.1",
	    "192.0.2.1");
}

static void
no_more_hops_are_followed_than_there_can_be(void **state)
{
	char line[400] = "192.0.2.1";
	struct arena *a = arena_new();
	const char *lines[] = { line, NULL }, *got;

	(void)state;
	for (unsigned i = 0; i < PROVENANCE_HOPS; i++)
		strcat(line, ", 10.0.0.1");
	got = reading(a, XFF, lines, false);
	assert_string_equal(got + strlen(got) - 9, "10.0.0.1!");
	assert_null(strstr(got, "192.0.2.1"));
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_the_last_who_is_no_proxy),
		cmocka_unit_test(several_lines_are_one_list),
		cmocka_unit_test(addresses_are_written_in_many_ways),
		cmocka_unit_test(what_is_no_address_ends_the_reading),
		cmocka_unit_test(forwarded_is_read_as_rfc_7239_writes_it),
		cmocka_unit_test(an_open_quote_hides_nothing_behind_it),
		cmocka_unit_test(no_more_hops_are_followed_than_there_can_be),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
