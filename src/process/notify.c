/*
 * Talks to the service manager. The protocol is a datagram of VARIABLE=value
 * lines to a unix socket, abstract when its name begins with "@"; RELOADING
 * carries the monotonic time so that Type=notify-reload works too.
 */
#include "process/notify.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un notify_address;
static socklen_t notify_length;
static uint64_t notify_watchdog;

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t us, who;
	size_t n = path != NULL ? strlen(path) : 0;

	if (n < 2 || n >= sizeof notify_address.sun_path ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	notify_address.sun_family = AF_UNIX;
	memcpy(notify_address.sun_path, path, n);
	if (path[0] == '@')
		notify_address.sun_path[0] = '\0';
	notify_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

	if (usec != NULL && str_to_u64(str_from(usec), &us) &&
	    (pid == NULL || (str_to_u64(str_from(pid), &who) &&
	                        who == (uint64_t)getpid())))
		notify_watchdog = us / 2000;
}

void
notify_send(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int fd, n;

	if (notify_length == 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof text)
		return;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL,
	    (struct sockaddr *)&notify_address, notify_length);
	close(fd);
}

uint64_t
notify_watchdog_ms(void)
{
	return notify_watchdog;
}
