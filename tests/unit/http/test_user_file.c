/* Users files: whose hash a name has, and which hashes are no use. */
#include "http/user_file.h"

#include "http/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* All of "secret". */
#define BCRYPT "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define SHA512 "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2Soep" \
	"NXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"
#define SHA256 "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhi" \
	"IvoSWX2"
#define YESCRYPT "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR" \
	"3PgHA"

struct world {
	struct arena *arena;
	struct conf_source source;
	struct conf_load *load;
	struct user_file *file;
};

static void
world_read(struct world *w, const char *text)
{
	const char *files[] = {"/etc/users", text, NULL};

	w->arena = arena_new();
	w->source = conf_source_memory(w->arena, files);
	w->load = conf_load_new(w->arena, &w->source);
	w->file = user_file_read(w->load, (struct conf_pos){ 0 },
	    "/etc/users");
}

static void
expect_error(const char *text, const char *part)
{
	struct world w;
	struct buf b;

	world_read(&w, text);
	assert_null(w.file);
	b = buf_in(w.arena);
	conf_print_diagnostics(w.load, &b);
	buf_chr(&b, '\0');
	if (strstr(b.p, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, b.p);
	/* What may be a password is not repeated. */
	assert_null(strstr(b.p, "hunter2"));
	arena_end(w.arena);
}

static void
users_have_their_own_hash(void **state)
{
	struct world w;
	bool is_known;

	(void)state;
	world_read(&w, "# staff\n\nann:" BCRYPT ":a comment\r\n bob:" SHA512);
	assert_non_null(w.file);
	assert_string_equal(user_file_hash(w.file, STR("ann"), &is_known),
	    BCRYPT);
	assert_true(is_known);
	assert_string_equal(user_file_hash(w.file, STR("bob"), &is_known),
	    SHA512);
	assert_true(is_known);
	arena_end(w.arena);
}

static void
an_unknown_user_costs_what_somebody_does(void **state)
{
	struct world w;
	const char *hash;
	bool is_known;

	(void)state;
	world_read(&w, "ann:" BCRYPT "\nbob:" SHA512 "\n");
	hash = user_file_hash(w.file, STR("eve"), &is_known);
	assert_false(is_known);
	assert_true(strcmp(hash, BCRYPT) == 0 || strcmp(hash, SHA512) == 0);
	assert_ptr_equal(user_file_hash(w.file, STR("eve"), &is_known), hash);
	arena_end(w.arena);
}

static void
every_good_kind_of_hash_is_taken_and_matches(void **state)
{
	static const char *const hashes[] = {
		BCRYPT, SHA512, SHA256, YESCRYPT
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
		assert_true(password_hash_is_fine(str_from(hashes[i]), &e));
		assert_true(password_matches(hashes[i], "secret"));
		assert_false(password_matches(hashes[i], "Secret"));
		assert_false(password_matches(hashes[i], ""));
	}
}

static void
what_is_wrong_is_told_with_its_line(void **state)
{
	static const char ok[] = "ann:" BCRYPT "\n";
	static const struct { const char *line, *part; } wrong[] = {
		{ "bob", "/etc/users:2: expected NAME:HASH" },
		{ ":" BCRYPT, "/etc/users:2: expected NAME:HASH" },
		{ "bob:hunter2", "/etc/users:2: there is no hash" },
		{ "bob:", "/etc/users:2: there is no hash" },
		{ "bob:{SHA}hunter2", "/etc/users:2: the hash is SHA-1" },
		{ "bob:{SSHA}hunter2", "/etc/users:2: the hash is SHA-1" },
		{ "bob:{PLAIN}hunter2", "the hash is the password itself" },
		{ "bob:$apr1$x$hunter2", "the hash is Apache's MD5" },
		{ "bob:$1$x$hunter2", "the hash is MD5" },
		{ "bob:xxhunter2xxxx", "there is no hash" }, /* DES */
		{ "bob:$2b$14$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpF"
		    "FP8WIrW", "takes seconds" },
		{ "bob:$6$rounds=9000000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpa"
		    "zfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSA"
		    "qXV/", "takes seconds" },
		{ "bob:" BCRYPT "x", "cut off" },
		{ "bob:$6$saltsalt$hunter2", "cut off" },
		{ "bob:" BCRYPT " x", "cut off" },
		{ "ann:" SHA256, "/etc/users:2: this user stands in the file "
		    "twice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char text[512];

		snprintf(text, sizeof text, "%s%s\n", ok, wrong[i].line);
		expect_error(text, wrong[i].part);
	}
	expect_error("# nobody\n", "has no users");
	expect_error("", "has no users");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_have_their_own_hash),
		cmocka_unit_test(an_unknown_user_costs_what_somebody_does),
		cmocka_unit_test(every_good_kind_of_hash_is_taken_and_matches),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
