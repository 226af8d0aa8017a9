/*
 * The error log of this process. One line is one write(2), so that lines of
 * several processes never mix. What cannot be written is counted, never waited
 * for, and said once the log takes lines again. The last lines stay in memory
 * for the panic report. One of the two
 * files that may keep state of the whole process.
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/syslog_sink.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_ 2048
#define SAY_LOST_EVERY 60000 /* ms */
#define RECENT 32
#define RECENT_LINE 256

static struct {
	char role[32];
	enum log_level level;
	int fd;
	bool to_syslog;
	bool is_journal;
	bool journal_known;
	uint64_t lost, said;        /* lines, and those of them told of */
	uint64_t said_at, warned_at; /* ms; 0: never */
	int why;                    /* errno of the last that was lost */
	bool is_cut;                /* the disk took only a part of it */
	char recent[RECENT][RECENT_LINE];
	unsigned n_recent;
} log_state = { .level = LOG_NOTICE, .fd = STDERR_FILENO };

static const char *const level_words[] = {
#define LEVEL(name, word) word,
	LOG_LEVELS
#undef LEVEL
};

/* sd-daemon's prefixes: what syslog calls debug is 7, critical 2. */
static const char journal_priority[] = "765432";

void
log_set_role(const char *role)
{
	snprintf(log_state.role, sizeof log_state.role, "%s", role);
}

void
log_set_level(enum log_level level)
{
	log_state.level = level;
}

enum log_level
log_level(void)
{
	return log_state.level;
}

void
log_set_fd(int fd)
{
	log_state.fd = fd;
	log_state.to_syslog = false;
	log_state.journal_known = false;
}

int
log_fd(void)
{
	return log_state.fd;
}

void
log_set_syslog(const char *ident, int facility)
{
	syslog_open(ident, facility);
	log_state.to_syslog = true;
}

/* $JOURNAL_STREAM names the device and inode of the stream that systemd gave
 * us (systemd.exec(5)). */
static bool
log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!log_state.journal_known) {
		log_state.journal_known = true;
		log_state.is_journal = stream != NULL &&
		    sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		    fstat(log_state.fd, &st) == 0 && st.st_dev == device &&
		    st.st_ino == inode;
	}
	return log_state.is_journal;
}

/*
 * Peers' bytes must not be able to forge lines or drive terminals. Those also
 * obey U+0080 to U+009F, and some of them the same as single bytes, so that
 * what is not UTF-8 does not pass either.
 */
static void
log_escape(struct buf *b, struct str text)
{
	while (text.n > 0) {
		unsigned char c = (unsigned char)text.p[0];
		size_t n = utf8_char(text);
		bool is_c1 = n == 2 && c == 0xc2 &&
		    (unsigned char)text.p[1] < 0xa0;

		if (n == 0 || c < 0x20 || c == 0x7f || is_c1) {
			buf_printf(b, "\\x%02x", c);
			n = 1;
		} else {
			buf_put(b, text.p, n);
		}
		text = str_slice(text, n, text.n);
	}
}

static void
log_head(struct buf *b, enum log_level level)
{
	struct str date;

	if (log_is_journal()) {
		buf_printf(b, "<%c>", journal_priority[level]);
	} else {
		date = clock_iso_date();
		buf_printf(b, "%.*s.%03d%.*s %s ", 19, date.p,
		    (int)(clock_wall_ms() % 1000), 6, date.p + 19,
		    level_words[level]);
	}
	buf_printf(b, "%s[%d]: ",
	    log_state.role[0] != '\0' ? log_state.role : "weir",
	    (int)getpid());
}

static void
log_remember(const char *line, size_t n)
{
	char *slot = log_state.recent[log_state.n_recent++ % RECENT];

	if (n >= RECENT_LINE)
		n = RECENT_LINE - 1;
	memcpy(slot, line, n);
	slot[n] = '\0';
}

/* Says on stderr, where that is another place, that the log takes nothing. */
static void
log_warn_of_loss(void)
{
	char text[128];
	int n;

	if (log_state.fd == STDERR_FILENO || (log_state.warned_at != 0 &&
	        clock_ms() - log_state.warned_at < SAY_LOST_EVERY))
		return;
	log_state.warned_at = clock_ms();
	n = snprintf(text, sizeof text, "weir[%d]: the error log takes no "
	    "lines: %s\n", (int)getpid(), strerror(log_state.why));
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

/*
 * False: it did not go as a whole. The stream we were started with is shared,
 * so that O_NONBLOCK is not ours to set: a pipe that nobody empties is asked
 * first, and has room for a line if it has any (pipe(7), PIPE_BUF).
 */
static bool
log_put(const char *line, size_t n)
{
	struct pollfd ask = { .fd = log_state.fd, .events = POLLOUT };
	ssize_t done;

	if (poll(&ask, 1, 0) == 0) {
		log_state.why = EAGAIN;
		return false;
	}
	do
		done = write(log_state.fd, line, n);
	while (done < 0 && errno == EINTR);
	if (done == (ssize_t)n)
		return true;
	log_state.is_cut = log_state.is_cut || done > 0;
	log_state.why = done < 0 ? errno : ENOSPC;
	return false;
}

static void
log_say_lost(void)
{
	char line[LINE_MAX_];
	struct buf b = buf_fixed(line, sizeof line);

	if (log_state.lost == log_state.said || (log_state.said_at != 0 &&
	        clock_ms() - log_state.said_at < SAY_LOST_EVERY))
		return;
	log_head(&b, LOG_ERROR);
	buf_printf(&b, "%llu lines of this log were lost: %s\n",
	    (unsigned long long)(log_state.lost - log_state.said),
	    strerror(log_state.why));
	if (!log_put(line, b.n))
		return;
	log_state.said = log_state.lost;
	log_state.said_at = clock_ms();
}

static void
log_out(const char *line, size_t n)
{
	/* What comes next does not belong to the begin of what was cut. */
	if (log_state.is_cut && log_put("\n", 1))
		log_state.is_cut = false;
	log_say_lost();
	if (!log_state.is_cut && log_put(line, n))
		return;
	log_state.lost++;
	log_warn_of_loss();
}

static void
log_write(enum log_level level, const char *text)
{
	char line[LINE_MAX_ + 2];
	struct buf b = buf_fixed(line, LINE_MAX_);
	size_t head;

	log_head(&b, level);
	head = b.n;
	log_escape(&b, str_from(text));
	log_remember(line, b.n);
	if (level < log_state.level)
		return;
	if (log_state.to_syslog) {
		syslog_write((int)level, line + head, b.n - head);
		return;
	}
	line[b.n++] = '\n';
	log_out(line, b.n);
}

static void PRINTF_LIKE(2, 0)
log_vline(enum log_level level, const char *fmt, va_list ap)
{
	char text[LINE_MAX_];
	int saved = errno;

	vsnprintf(text, sizeof text, fmt, ap);
	log_write(level, text);
	errno = saved;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}

void
log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	uint64_t second = clock_ms() / 1000;
	va_list ap;

	if (second != l->second) {
		if (l->left_out > 0)
			log_line(level, "%llu lines like the next were left "
			    "out", (unsigned long long)l->left_out);
		l->second = second;
		l->used = 0;
		l->left_out = 0;
	}
	if (l->used >= l->burst) {
		l->left_out++;
		return;
	}
	l->used++;
	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}

uint64_t
log_lost(void)
{
	return log_state.lost;
}

void
log_dump_recent(int fd)
{
	unsigned n = log_state.n_recent < RECENT ? log_state.n_recent : RECENT;

	/* Called in a signal handler: only write(2). */
	for (unsigned i = 0; i < n; i++) {
		const char *line =
		    log_state.recent[(log_state.n_recent - n + i) % RECENT];

		if (write(fd, "  ", 2) < 0 ||
		    write(fd, line, strlen(line)) < 0 ||
		    write(fd, "\n", 1) < 0)
			return;
	}
}
