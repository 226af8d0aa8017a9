/* The only file that includes <syslog.h>; see its header for why. */
#include "base/syslog_sink.h"

#include <string.h>
#include <syslog.h>

int
syslog_facility(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} facilities[] = {
		{ "daemon", LOG_DAEMON }, { "user", LOG_USER },
		{ "auth", LOG_AUTH }, { "local0", LOG_LOCAL0 },
		{ "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
		{ "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
		{ "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
		{ "local7", LOG_LOCAL7 }
	};

	for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++)
		if (strcmp(facilities[i].name, name) == 0)
			return facilities[i].number;
	return -1;
}

void
syslog_open(const char *ident, int facility)
{
	openlog(ident, LOG_PID | LOG_NDELAY, facility);
}

void
syslog_write(int level, const char *text, size_t n)
{
	static const int priorities[] = {
		LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERR, LOG_CRIT
	};

	syslog(priorities[level], "%.*s", (int)n, text);
}
