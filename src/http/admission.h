/*
 * Admission: what the steps of PHASE_AUTH share. Each of them lets a request
 * through (admission_allow), has nothing to say (STEP_NEXT), or has replied and
 * refuses (admission_refuse). Whether a refusal is the last word is decided
 * here: by itself it is; between admission_begin and admission_end one that
 * lets the request through is enough.
 */
#ifndef HTTP_ADMISSION_H
#define HTTP_ADMISSION_H

#include "http/txn.h"

/* From here to admission_end, in this walk of the plan, one is enough. */
void admission_begin(struct txn *t);
/* STEP_STOP: nobody let it through and somebody refused it; t->res says so. */
enum verdict admission_end(struct txn *t);

/* One has let it through already: the others need not look. */
bool admission_is_granted(const struct txn *t);
/* Answers for the step that lets the request through. */
enum verdict admission_allow(struct txn *t);
/* Answers for the step that has made a response to refuse it with. WORD is
 * stable and goes to the access log, the sentence to the error log, if the
 * refusal stands. */
enum verdict admission_refuse(struct txn *t, const char *word, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

#endif
