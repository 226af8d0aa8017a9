/*
 * syslog(3), kept apart: <syslog.h> defines LOG_DEBUG, LOG_INFO and others as
 * macros, which would clash with the names of our levels.
 */
#ifndef BASE_SYSLOG_SINK_H
#define BASE_SYSLOG_SINK_H

#include <stddef.h>

/* The number of "daemon", "local0", ...; -1: there is none of that name. */
int syslog_facility(const char *name);
void syslog_open(const char *ident, int facility);
/* LEVEL: index of base/log.h's levels, 0 the least important. */
void syslog_write(int level, const char *text, size_t n);

#endif
