/*
 * Files in memory, sealed. A reader relies on no seal all the same: it copies,
 * within a bound, since the other end may be a process that was taken over.
 */
#include "base/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

int
parcel_new(const char *name, struct err *e)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0)
		err_sys(e, "cannot make a file in memory");
	return fd;
}

bool
parcel_seal(int fd, struct err *e)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE) == 0)
		return true;
	err_sys(e, "cannot seal a file in memory");
	close(fd);
	return false;
}

bool
parcel_read(int fd, size_t most, struct arena *a, struct str *out,
    struct err *e)
{
	struct stat st;
	size_t n = 0;
	char *p;

	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot be received");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > most)
		return err_set(e, "has %lld bytes", (long long)st.st_size);
	p = arena_alloc(a, (size_t)st.st_size);
	/* The place in the file is shared with whoever else was given it. */
	while (n < (size_t)st.st_size) {
		ssize_t got = pread(fd, p + n, (size_t)st.st_size - n,
		    (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_sys(e, "cannot be received");
		n += (size_t)got;
	}
	*out = str_of(p, n);
	return true;
}
