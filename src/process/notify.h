/* sd_notify(3), spoken directly: one datagram to $NOTIFY_SOCKET. Without that
 * variable everything here does nothing. */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

#include "base/compiler.h"

#include <stdint.h>

/* Reads the environment; before anything else of this file. */
void notify_init(void);
/* "READY=1\nSTATUS=..."; failures are ignored: nobody waits for us then. */
void notify_send(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* How often WATCHDOG=1 must be sent, ms: half of what the manager waits; 0:
 * never. */
uint64_t notify_watchdog_ms(void);

#endif
