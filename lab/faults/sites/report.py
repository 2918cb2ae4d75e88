"""What a run of the sites has shown, as figures with their bounds."""

from collections import Counter

from lab.faults.report import Report, percentile
from lab.faults.sites.bench import Result, Settings
from lab.faults.sites.verdict import alone, anomalies, durations, gaps, late
from pyrochat.orders.lamport.site import SiteTimes

_GOES_ON_SECONDS = 2.0  # beyond the suspicion
_EQUAL_SECONDS = 5.0
_SEND_SECONDS = 0.050


def reported(settings: Settings, result: Result) -> Report:
    """The figures of *result*."""
    report = Report(f"{settings.sites} sites, {settings.order}")
    sent = [one for _, one in result.sent]
    fates = Counter(one.fate for one in sent)
    report.faults.update(kind for episode in result.episodes for kind in episode.kinds)
    report.add("texts acknowledged", f"{fates['ok']:,}", "more than none", fates["ok"] > 0)
    report.add("texts whose fate was unknown", f"{fates['unknown']:,}")
    wrong = anomalies(result.logs, sent)
    report.add("lost, twice, out of order, before what they answer", str(len(wrong)), "0", not wrong)
    report.troubles += wrong
    _lamport(report, result) if settings.order == "lamport" else _causal(report, result)
    return report


def _lamport(report: Report, result: Result) -> None:
    same = len(set(result.tips)) == 1
    report.add("digests", "equal" if same else "DIFFER", "equal", same)
    unentitled = alone(result.episodes, result.sent)
    report.add("numbered without a quorum", str(len(unentitled)), "0", not unentitled)
    report.troubles += unentitled[:5]
    found = gaps(result.episodes, [one for _, one in result.sent])
    longest, episode = max(found, default=(0.0, None))
    bound = SiteTimes().silent_seconds + _GOES_ON_SECONDS
    what = f" ({episode.what})" if episode else ""
    report.add(
        f"no number, of {len(found)} times with a quorum",
        f"{longest:.2f} s at the most{what}",
        f"{bound:g} s",
        longest <= bound,
    )


def _causal(report: Report, result: Result) -> None:
    longest = max(late(result.episodes, [one for _, one in result.sent], result.shown), default=0.0)
    report.add(
        "equal sets after healing", f"{longest:.2f} s at the most", f"{_EQUAL_SECONDS:g} s", longest <= _EQUAL_SECONDS
    )
    took = durations(result.sent, result.away)
    middle, most = percentile(took, 0.50), percentile(took, 0.99)
    report.add(
        f"send, at sites that ran ({len(took):,})",
        f"p50 {middle * 1000:.1f} ms, p99 {most * 1000:.1f} ms",
        "p99 50 ms",
        most <= _SEND_SECONDS,
    )
