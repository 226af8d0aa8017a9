/*
 * The error log of this process: levels, one line per event, the last 32 lines
 * kept in memory for the panic report. A line reads
 *   2026-11-23T08:22:56.123+00:00 warn worker[1234]: text
 * (to the journal of systemd, which knows time and level by itself:
 * "<4>worker[1234]: text").
 * The function that decides logs; the function that fails does not.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_LEVELS \
	LEVEL(DEBUG, "debug") LEVEL(INFO, "info") LEVEL(NOTICE, "notice") \
	LEVEL(WARN, "warn") LEVEL(ERROR, "error") LEVEL(CRIT, "crit")

enum log_level {
#define LEVEL(name, word) LOG_##name,
	LOG_LEVELS
#undef LEVEL
	LOG_LEVEL_COUNT
};

/* ROLE is "master", "worker 0", "scout" ... (kept by pointer copy). */
void log_set_role(const char *role);
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* Lines go to FD from now on (not closed by the log; 2 at the start). */
void log_set_fd(int fd);
int log_fd(void);
/* Lines go to syslog(3) from now on, and nowhere else, until log_set_fd;
 * FACILITY as syslog_facility tells it. */
void log_set_syslog(const char *ident, int facility);

void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) \
	(log_level() <= LOG_DEBUG ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_crit(...) log_line(LOG_CRIT, __VA_ARGS__)

/*
 * For what a peer can cause: at most BURST lines per second and limiter; the
 * first line after a pause says how many were left out.
 *   static struct log_limit limit = LOG_LIMIT(10);
 *   log_limited(&limit, LOG_INFO, "...");
 */
struct log_limit {
	uint32_t burst;
	uint32_t used;
	uint64_t second;
	uint64_t left_out;
};
#define LOG_LIMIT(burst_) {.burst = (burst_)}
void log_limited(struct log_limit *l, enum log_level level,
    const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Lines that could not be written (a full disk, a closed pipe). */
uint64_t log_lost(void);
/* The last lines, oldest first; for the panic report. */
void log_dump_recent(int fd);

#endif
