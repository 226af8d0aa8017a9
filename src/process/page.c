/*
 * The region of counter pages: the board, the retired page, one page per slot.
 * It is mapped before the first fork and never grows.
 */
#include "process/page.h"

#include "base/arena.h"
#include "base/panic.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct pages {
	char *region;
	size_t size;       /* of the region */
	size_t page_size;  /* of one slot, whole system pages */
	size_t board_size; /* likewise */
};

#define CORE_SETS 4

const struct counter_set *
pages_set(unsigned i, size_t *offset)
{
	static const struct counter_set *const core[CORE_SETS] = {
		&loop_counters, &pool_counters, &net_counters, &http_counters
	};
	const struct counter_set *found = NULL;
	size_t at = 0;
	unsigned seen = 0;

	for (unsigned k = 0; k < CORE_SETS + module_count; k++) {
		const struct counter_set *set = k < CORE_SETS ? core[k] :
		    modules[k - CORE_SETS]->counters;

		if (set == NULL)
			continue;
		if (seen++ == i) {
			found = set;
			break;
		}
		/* Each set begins on its own cache line. */
		at += (set->size + 63) & ~(size_t)63;
	}
	*offset = at;
	return found;
}

static size_t
round_to_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

struct pages *
pages_new(struct err *e)
{
	struct pages *p = mem_zalloc(sizeof *p);
	size_t used = 0;
	unsigned i = 0;

	while (pages_set(i, &used) != NULL)
		i++;
	p->page_size = round_to_pages(used + 1);
	p->board_size = round_to_pages(sizeof(struct page_board));
	p->size = p->board_size + (PAGE_SLOTS + 1) * p->page_size;
	p->region = mmap(NULL, p->size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->region == MAP_FAILED) {
		err_sys(e, "cannot map the counter pages");
		mem_free(p);
		return NULL;
	}
	return p;
}

struct page_board *
pages_board(struct pages *p)
{
	return (struct page_board *)(void *)p->region;
}

/* Slot -1 is the retired page. */
static char *
pages_at(const struct pages *p, int slot)
{
	ASSERT(slot >= -1 && slot < PAGE_SLOTS);
	return p->region + p->board_size + (size_t)(slot + 1) * p->page_size;
}

const char *
pages_base(const struct pages *p, int slot)
{
	return pages_at(p, slot);
}

void
pages_write_begin(struct pages *p)
{
	atomic_fetch_add((_Atomic uint32_t *)&pages_board(p)->sequence, 1);
}

void
pages_write_end(struct pages *p)
{
	atomic_fetch_add((_Atomic uint32_t *)&pages_board(p)->sequence, 1);
}

int
pages_take(struct pages *p)
{
	struct page_board *b = pages_board(p);

	for (int i = 0; i < PAGE_SLOTS; i++) {
		if (b->slots[i].role != ROLE_NONE)
			continue;
		memset(pages_at(p, i), 0, p->page_size);
		return i;
	}
	return -1;
}

static void
pages_add_row(char *to, const char *from, const struct counter_row *row)
{
	uint64_t *a = (uint64_t *)(void *)(to + row->offset);
	const void *at = from + row->offset;
	const uint64_t *b = at;
	size_t n = row->kind == COUNTER_BUCKETS ? row->buckets + 1 : 1;

	if (row->kind == COUNTER_GAUGE)
		return;
	for (size_t i = 0; i < n; i++)
		a[i] += b[i];
}

void
pages_retire(struct pages *p, int slot)
{
	const struct counter_set *set;
	size_t at;

	pages_write_begin(p);
	for (unsigned i = 0; pages_board(p)->slots[slot].role == ROLE_WORKER &&
	     (set = pages_set(i, &at)) != NULL; i++)
		for (const struct counter_row *r = set->rows; r->name != NULL;
		     r++)
			pages_add_row(pages_at(p, -1) + at,
			    pages_at(p, slot) + at, r);
	pages_board(p)->slots[slot] = (struct page_slot){ .role = ROLE_NONE };
	pages_write_end(p);
}

void
pages_own(struct pages *p, int slot)
{
	/* A failure only loses a safety net. */
	(void)mprotect(p->region, p->size, PROT_READ);
	if (slot >= 0)
		(void)mprotect(pages_at(p, slot), p->page_size,
		    PROT_READ | PROT_WRITE);
}

struct page_view
pages_view(struct pages *p, int slot)
{
	char *base = pages_at(p, slot);
	struct page_view v = { .loop = NULL };
	const struct counter_set *set;
	size_t at;

	for (unsigned i = 0; (set = pages_set(i, &at)) != NULL; i++) {
		void *here = base + at;

		if (set == &loop_counters)
			v.loop = here;
		else if (set == &pool_counters)
			v.pool = here;
		else if (set == &net_counters)
			v.net = here;
		else if (set == &http_counters)
			v.http = here;
		for (unsigned m = 0; m < module_count; m++)
			if (modules[m]->counters == set)
				v.modules[m] = here;
	}
	return v;
}
