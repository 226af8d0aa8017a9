/* weir.yaml(5), the whole page, from the rows and tables of every floor. */
#ifndef PROCESS_MANUAL_H
#define PROCESS_MANUAL_H

#include "base/buf.h"

void manual_print(struct buf *b);

#endif
