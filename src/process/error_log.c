/*
 * Opens the error log: stderr, syslog or a file. Only the master opens files;
 * children inherit the descriptor and get a new one after a rotation.
 */
#include "process/error_log.h"

#include "base/log.h"
#include "base/syslog_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool
is_stderr(const struct error_log_conf *conf)
{
	return strcmp(conf->to, "stderr") == 0;
}

static bool
is_syslog(const struct error_log_conf *conf)
{
	return strcmp(conf->to, "syslog") == 0 ||
	    strncmp(conf->to, "syslog:", 7) == 0;
}

static int
error_log_open_file(const char *path, const struct identity *id,
    struct err *e)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0) {
		err_sys(e, "error_log %s: cannot open", path);
		return -1;
	}
	/* So that a worker's crash report can still be appended by name. */
	if (id->change && fchown(fd, id->uid, id->gid) != 0)
		log_warn("cannot give %s to its user: %s", path,
		    strerror(errno));
	return fd;
}

bool
error_log_open(const struct error_log_conf *conf, const struct identity *id,
    struct err *e)
{
	int fd, facility;

	log_set_level((enum log_level)conf->level);
	if (is_stderr(conf)) {
		log_set_fd(STDERR_FILENO);
		return true;
	}
	if (is_syslog(conf)) {
		facility = syslog_facility(conf->to[6] == ':' ? conf->to + 7 :
		    "daemon");
		if (facility < 0)
			return err_set(e, "error_log: there is no syslog "
			    "facility \"%s\"", conf->to + 7);
		log_set_syslog("weir", facility);
		return true;
	}
	fd = error_log_open_file(conf->to, id, e);
	if (fd < 0)
		return false;
	log_set_fd(fd);
	return true;
}

int
error_log_reopen(const struct error_log_conf *conf, const struct identity *id)
{
	struct err e;
	int fd;

	if (is_stderr(conf) || is_syslog(conf))
		return -1;
	fd = error_log_open_file(conf->to, id, &e);
	if (fd < 0) {
		log_error("%s; going on with the old file", e.text);
		return -1;
	}
	if (dup2(fd, log_fd()) < 0)
		log_error("cannot switch the error log: %s", strerror(errno));
	return fd;
}
