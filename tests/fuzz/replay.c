/*
 * A main for a fuzz driver where there is no fuzzer: gives it every file that
 * is named, or lies in a folder that is named, and dies as the driver dies. It
 * knows nothing of what the driver tests.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replay_count;

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, got;
	char page[4096];

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	while ((got = fread(page, 1, sizeof page, f)) > 0) {
		data = realloc(data, size + got);
		if (data == NULL)
			abort();
		memcpy(data + size, page, got);
		size += got;
	}
	fclose(f);

	/* To the byte, so that a sanitizer sees a read behind the end. */
	uint8_t *exact = malloc(size > 0 ? size : 1);

	if (exact == NULL)
		abort();
	if (size > 0)
		memcpy(exact, data, size);
	free(data);

	/* Said before: it is the last word if the driver dies. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	replay_count++;
}

static void
replay_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	if (n < 0) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		char file[4096];

		if (names[i]->d_name[0] != '.') {
			snprintf(file, sizeof file, "%s/%s", path,
			    names[i]->d_name);
			replay_file(file);
		}
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			replay_folder(argv[i]);
		else
			replay_file(argv[i]);
	}
	printf("%u inputs\n", replay_count);
	return replay_count > 0 ? 0 : 1;
}
