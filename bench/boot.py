"""How many machines ask in one second when 100,000 start in one: the schedule of real agents.

Nothing is asked over a network: each machine has an agenda (`muster.agent.agenda`) and the client's
own schedule (`muster.client.schedule`), and a clock jumps from one try to the next. All start in
the same second, which no power plant manages. `python bench/boot.py` prints a table, and with
`--write` draws docs/boot.svg.

What happens meanwhile:

| scene | before | hosts answer |
|---|---|---|
| power returns | a licence that runs, a renewal that is overdue | at once |
| first day | nothing | at once |
| network comes late | nothing | after 3 minutes |
| hosts come late | nothing | after 12 hours |
| eight weeks | nothing | at once; renewals are shown |
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from muster.agent.agenda import Agenda, Planned
from muster.client import schedule
from muster.core.values import dataclass
from muster.system.entropy import SeededDice

MACHINES = 100_000
START = 1_800_000_000
AGENT_AT = 20
"""Seconds after the start of a machine at which its agent plans."""
DAY, LEASE, RENEW = 86_400, 180 * 86_400, 7 * 86_400
PICTURE = Path(__file__).parents[1] / "docs" / "boot.svg"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a crowd of machines meets. Seconds are from their start; `shown` from `begin` on."""

    name: str
    licensed: bool
    answers_at: int
    begin: int
    end: int
    bucket: int


SCENES = (
    Scene("power returns", True, 0, 0, 2400, 10),
    Scene("first day", False, 0, 0, 240, 1),
    Scene("network comes late", False, 180, 0, 900, 5),
    Scene("hosts come late", False, 12 * 3600, 0, 20 * 3600, 60),
    Scene("eight weeks", False, 0, DAY, 56 * DAY, 3600),
)


def tries(scene: Scene, machines: int, seed: str) -> Iterator[int]:
    """The seconds after the start at which machines ask, one for each try."""
    dice = SeededDice(seed)
    waiting: list[tuple[int, int]] = []
    failures: Counter[int] = Counter()
    now = START + AGENT_AT
    for machine in range(machines):
        agenda = Agenda(dice, booted=True)
        agenda.planned([Planned("p/x", START - DAY, due=True, licensed=scene.licensed)], now)
        assert agenda.next_instant is not None
        waiting.append((agenda.next_instant, machine))
    heapq.heapify(waiting)
    while waiting and waiting[0][0] - START < scene.end:
        now, machine = waiting[0]
        yield now - START
        if now - START >= scene.answers_at:
            failures[machine] = 0
            again = schedule.renewal(now + RENEW, now + LEASE, now, dice)
        else:
            failures[machine] += 1
            again = after_silence(now, failures[machine], dice)
        heapq.heapreplace(waiting, (again, machine))


def after_silence(now: int, failures: int, dice: SeededDice) -> int:
    """As the client decides after nobody could be reached."""
    soon = schedule.soon_after_boot(now, now - START, ["net/unreachable"], dice)
    if soon is not None:
        return soon
    return schedule.after_silence(now, failures, dice, leased=None, default=7200)


@dataclass(frozen=True, slots=True)
class Rates:
    """Tries of a scene: how many, the most in one second, of all and of those that hosts answer,
    and the rate of each bucket, a second."""

    scene: Scene
    tries: int
    peak: int
    answered: int
    rates: tuple[float, ...]


def measure(scene: Scene, machines: int = MACHINES, seed: str = "boot") -> Rates:
    """Run a scene and count."""
    seconds: Counter[int] = Counter()
    buckets: Counter[int] = Counter()
    for second in tries(scene, machines, f"{seed} {scene.name}"):
        if second >= scene.begin:
            seconds[second] += 1
            buckets[(second - scene.begin) // scene.bucket] += 1
    length = (scene.end - scene.begin) // scene.bucket
    rates = tuple(buckets[index] / scene.bucket for index in range(length))
    heard = [number for second, number in seconds.items() if second >= scene.answers_at]
    return Rates(scene, sum(seconds.values()), max(seconds.values()), max(heard), rates)


def span(seconds: int) -> str:
    """A time on an axis."""
    for unit, size in (("d", DAY), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds} s"


def draw(found: list[Rates]) -> str:
    """The picture: a curve for each scene, its own scale beside it."""
    width, height, gap, left = 560, 74, 46, 96
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + left + 30} '
        f'{len(found) * (height + gap) + 20}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for row, one in enumerate(found):
        top = 26 + row * (height + gap)
        most = max(one.rates)
        step = width / len(one.rates)
        points = " ".join(
            f"{left + index * step:.1f},{top + height - rate / most * height:.1f}"
            for index, rate in enumerate(one.rates)
        )
        title = f"{one.scene.name}: hosts answer at most {one.answered:,} in one second"
        lines += [
            f'<text x="{left}" y="{top - 8}" font-weight="bold">{title}</text>',
            f'<path d="M{left},{top} V{top + height} H{left + width}" stroke="#888" fill="none"/>',
            f'<polyline points="{points}" stroke="#1f5fa8" fill="none" stroke-width="1.2"/>',
            f'<text x="{left - 6}" y="{top + 10}" text-anchor="end">{most:,.1f}/s</text>',
            f'<text x="{left - 6}" y="{top + height}" text-anchor="end">0</text>',
            f'<text x="{left}" y="{top + height + 14}">{span(one.scene.begin)}</text>',
            f'<text x="{left + width}" y="{top + height + 14}" text-anchor="end">'
            f"{span(one.scene.end)}</text>",
        ]
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Print the table; with `--write`, draw the picture."""
    found = [measure(scene) for scene in SCENES]
    print(f"{MACHINES:,} machines that start in the same second")
    for one in found:
        most = f"at most {one.peak:>6,} in one second, of which hosts answer {one.answered:>6,}"
        print(f"{one.scene.name:<20} {one.tries:>9,} tries, {most}")
    if "--write" in sys.argv:
        PICTURE.write_text(draw(found), "utf-8")


if __name__ == "__main__":
    main()
