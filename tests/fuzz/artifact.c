/*
 * A panic dies of an abort that nobody can catch any more. A fuzzer has to: its
 * handler writes the input that led there to a file. So the abort comes first,
 * while the report is being made.
 */
#include "base/panic.h"

#include <signal.h>
#include <stddef.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

static void
artifact_on_panic(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	raise(SIGABRT);
}

/* Called by libFuzzer, by this name. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	panic_add_reporter(artifact_on_panic, NULL);
	return 0;
}
