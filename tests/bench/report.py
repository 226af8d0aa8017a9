"""From the numbers of the rounds to medians, ratios, and the bars that Weir has
to clear. Rounds of all contestants are interleaved, so the ratio is taken
within each round and the median of these is shown: what slows the machine for
a while slows both sides of a ratio.

Beside it stands the same ratio by processor time (answers for each second that
the server computed). It is no bar: waiting counts for users. But it hardly
moves on a busy machine, so it tells whether a bar was missed for the server's
work or for what else ran.
"""

import dataclasses
import operator
import statistics


@dataclasses.dataclass(frozen=True)
class Bar:
    workload: str
    value: str
    than: str         # "": the number itself is compared
    how: str
    bound: float

    def __str__(self):
        than = f" x {self.than}" if self.than else ""
        return f"{self.value} {self.how} {self.bound:g}{than}"


BARS = [
    Bar("static-64", "per_second", "nginx", ">=", 1.3),
    Bar("static-64", "per_second", "nginx sendfile off", ">=", 1.0),
    Bar("static-512", "per_second", "nginx", ">=", 1.3),
    Bar("static-512", "per_second", "nginx sendfile off", ">=", 1.0),
    Bar("static-1m", "per_second", "nginx tcp_nopush on", ">=", 1.5),
    Bar("proxied-64", "per_second", "nginx", ">=", 1.0),
    Bar("proxied-512", "per_second", "nginx", ">=", 1.0),
    Bar("https", "per_second", "nginx", ">=", 1.1),
    Bar("http2", "per_second", "nginx", ">=", 3.0),
    *(Bar(name, "per_second", than, ">=", 1.0)
      for name in ("handshake", "handshake-rsa", "handshake-resumed")
      for than in ("nginx", "h2o")),
    Bar("crowd", "errors", "", "<=", 0),
    Bar("crowd", "p99_us", "nginx", "<", 2.0),
    Bar("crowd-paced", "errors", "", "<=", 0),
    Bar("crowd-paced", "p99_us", "nginx", "<", 2.0),
    Bar("idle", "kib", "", "<=", 0.45),
    Bar("idle-tls", "kib", "nginx", "<=", 1.0),
    Bar("idle-http2", "kib", "nginx", "<=", 1.0),
    # Three and seven; what connecting, timers and the other processes call is
    # spread over the 10,000 requests.
    Bar("calls-static", "calls", "", "<=", 3.05),
    Bar("calls-proxied", "calls", "", "<=", 7.05),
]
COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt}

COLUMNS = [  # of the table, where a workload has them: value, title, format
    ("per_second", "per second", "{:.0f}"),
    ("p50_us", "p50 ms", lambda v: f"{v / 1000:.2f}"),
    ("p99_us", "p99 ms", lambda v: f"{v / 1000:.2f}"),
    ("errors", "errors", "{:.0f}"),
    ("cpu_us", "CPU us each", "{:.1f}"),
    ("busy", "CPU", "{:.0%}"),
    ("kib", "KiB each", "{:.2f}"),
    ("start_mib", "MiB before", "{:.1f}"),
    ("calls", "calls", "{:.2f}"),
]


def middle(rounds, value):
    """The median; but a single error in a single round is one too many."""
    numbers = [r[value] for r in rounds if r and value in r]
    if not numbers:
        return None
    return sum(numbers) if value == "errors" else statistics.median(numbers)


def ratio(rounds, others, value):
    pairs = [(a[value], b[value]) for a, b in zip(rounds, others)
             if a and b and value in a and b.get(value)]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def ratio_by_cpu(rounds, others):
    """More is better, as with answers per second."""
    return ratio(others, rounds, "cpu_us")


def base_of(workload):
    """Whom the others are compared to in the table."""
    return next((n for n in ("nginx tcp_nopush on", "nginx")
                 if n in workload.contestants), None)


def cell(form, number):
    if number is None:
        return "-"
    return form(number) if callable(form) else form.format(number)


def show_table(header, lines):
    widths = [max(map(len, column)) for column in zip(header, *lines)]
    for line in (header, *lines):
        cells = [line[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        print("  " + "   ".join(cells).rstrip())


def show_workload(workload, results, why_not):
    """results: {contestant: [round, ...]}, None for a round that failed."""
    base = base_of(workload)
    columns = [c for c in COLUMNS if any(
        r and c[0] in r for rounds in results.values() for r in rounds)]
    header = ["", *(title for _, title, _ in columns), f"x {base}",
              "by CPU", "spread"]
    lines = []
    for name, rounds in results.items():
        taken = [r for r in rounds if r]
        if not taken:
            continue
        firsts = [r[workload.first] for r in taken]
        spread = (max(firsts) - min(firsts)) / (statistics.median(firsts) or 1)
        lines.append([
            name, *(cell(form, middle(taken, v)) for v, _, form in columns),
            cell("{:.2f}", ratio(rounds, results[base], workload.first)),
            cell("{:.2f}", ratio_by_cpu(rounds, results[base])),
            f"{spread:.0%}" if len(firsts) > 1 else "-"])
    print(f"\n{workload.name}: {workload.title}")
    if lines:
        show_table(header, lines)
    for name, rounds in results.items():
        which = next((r["which"] for r in rounds if r and "which" in r), None)
        if which:
            print(f"  {name}: " + ", ".join(
                f"{call} {n:g}" for call, n in
                sorted(which.items(), key=lambda item: -item[1])))
    for name, why in why_not.items():
        print(f"  {name}: not measured: {why}")


def judge(bar, results):
    """The number that counts and, where there is one, the ratio by CPU; None
    for what could not be had."""
    rounds = results.get("weir", [])
    if not all(rounds):
        return None, None
    if not bar.than:
        return middle(rounds, bar.value), None
    others = results.get(bar.than, [])
    by_cpu = ratio_by_cpu(rounds, others) if bar.value == "per_second" else None
    return ratio(rounds, others, bar.value), by_cpu


def verdict(bar, number, rounds):
    if number is None:
        return "not measured"
    # What answers with errors may be fast; it does not count.
    if bar.value != "errors" and middle(rounds, "errors"):
        return "FAIL: errors"
    return "pass" if COMPARE[bar.how](number, bar.bound) else "FAIL"


def show_bars(results):
    """True when every bar of what was measured is cleared."""
    lines, cleared = [], True
    for bar in BARS:
        if bar.workload not in results:
            continue
        number, by_cpu = judge(bar, results[bar.workload])
        said = verdict(bar, number, results[bar.workload].get("weir", []))
        cleared = cleared and said == "pass"
        lines.append([bar.workload, str(bar), cell("{:.2f}", number),
                      cell("{:.2f}", by_cpu), said])
    if lines:
        print("\nThe bars for Weir")
        show_table(["", "bar", "is", "by CPU", ""], lines)
    return cleared
