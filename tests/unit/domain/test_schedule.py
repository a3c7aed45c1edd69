"""When a post is wanted: intervals, times of the day, days of the week, and both changes of the clock."""

from datetime import UTC, datetime, time, timedelta

import pytest

from src.domain.schedule import (
    EVERY_DAY,
    Schedule,
    Window,
    contradictions,
    days_text,
    parse_days,
    parse_time,
    require_days,
    require_times,
    schedule_of,
    spread,
)

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
SUNDAY = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
WORK = (0, 1, 2, 3, 4)
BERLIN = "Europe/Berlin"


def at(text):
    """A moment of UTC."""
    return datetime.fromisoformat(text + "+00:00")


def times(*texts, days=EVERY_DAY, zone="UTC", quiet=""):
    return Schedule(0, tuple(map(parse_time, texts)), days, quiet, zone)


def names(schedule, begin, end):
    return [f"{slot.start:%d %H:%M}" for slot in schedule.between(at(begin), at(end))]


# ---- intervals -------------------------------------------------------------------------------------------------


def test_an_interval_is_open_while_it_lasts():
    """Each moment lies in one slot, which begins at a multiple of the interval since the Unix epoch."""
    (slot,) = Schedule().open_at(SUNDAY)
    assert (slot.name, slot.end) == ("2026-11-22T14:00Z", at("2026-11-22 15:00"))
    assert Schedule().slot_of(SUNDAY) == slot.name
    assert [s.name for s in Schedule(480).open_at(SUNDAY)] == ["2026-11-22T08:00Z"]
    assert Schedule().next_after(SUNDAY) == at("2026-11-22 15:00")
    assert Schedule().next_after(at("2026-11-22 15:00")) == at("2026-11-22 16:00")


def test_quiet_hours_leave_slots_of_an_interval_out():
    """A slot that is quiet from end to end is not wanted; one with a waking part opens with it."""
    schedule = Schedule(480, quiet="22:00-07:00")
    assert names(schedule, "2026-11-22 00:00", "2026-11-23 00:00") == ["22 00:00", "22 08:00", "22 16:00"]
    assert schedule.open_at(at("2026-11-22 06:59")) == ()
    assert schedule.open_at(at("2026-11-22 07:00"))[0].name == "2026-11-22T00:00Z"
    assert schedule.opens_after(at("2026-11-22 03:00")) == at("2026-11-22 07:00")
    assert schedule.next_after(at("2026-11-22 16:00")) == at("2026-11-23 07:00")
    hourly = Schedule(quiet="22:00-07:00", zone_name=BERLIN)
    assert len(names(hourly, "2026-11-22 00:00", "2026-11-23 00:00")) == 15
    assert hourly.next_after(at("2026-11-22 20:30")) == at("2026-11-23 06:00")
    assert hourly.posts_per_day == 15


def test_days_leave_slots_of_an_interval_out():
    """Only the days of the week that are wanted count, by the clock of the zone."""
    schedule = Schedule(days=WORK, zone_name=BERLIN)
    assert schedule.open_at(SUNDAY) == ()
    assert schedule.next_after(SUNDAY) == at("2026-11-22 23:00")  # Monday, 00:00 in Berlin
    assert schedule.posts_per_day == pytest.approx(24 * 5 / 7)


# ---- times of the day ------------------------------------------------------------------------------------------


def test_a_wanted_time_is_open_for_ninety_minutes():
    """From its minute on, and not before; then it is over."""
    schedule = times("09:00", "13:00")
    assert schedule.open_at(at("2026-11-22 08:59:59")) == ()
    assert [s.name for s in schedule.open_at(at("2026-11-22 09:00"))] == ["2026-11-22T09:00Z"]
    assert len(schedule.open_at(at("2026-11-22 10:29:59"))) == 1
    assert schedule.open_at(at("2026-11-22 10:30")) == ()
    assert schedule.slot_of(at("2026-11-22 10:29")) == "2026-11-22T09:00Z"
    assert schedule.slot_of(at("2026-11-22 10:30")) is None


def test_the_oldest_open_time_comes_first():
    """Several times may be open at once; a tweet on record is taken for that of the newest."""
    schedule = times("09:00", "09:30", "10:00")
    assert [s.name[11:16] for s in schedule.open_at(at("2026-11-22 10:05"))] == ["09:00", "09:30", "10:00"]
    assert schedule.slot_of(at("2026-11-22 10:05")) == "2026-11-22T10:00Z"


def test_times_on_weekdays():
    """Over a weekend the next time is that of Monday."""
    schedule = times("09:00", "13:00", "18:00", days=WORK, zone=BERLIN)
    assert schedule.next_after(at("2026-11-20 17:00")) == at("2026-11-23 08:00")
    assert schedule.opens_after(SUNDAY) == at("2026-11-23 08:00")
    assert names(schedule, "2026-11-20 00:00", "2026-11-24 00:00") == [
        "20 08:00", "20 12:00", "20 17:00", "23 08:00", "23 12:00", "23 17:00"
    ]  # fmt: skip
    assert schedule.posts_per_day == pytest.approx(15 / 7)
    assert (schedule.shortest, schedule.longest, schedule.gap) == (4 * HOUR, 63 * HOUR, 2 * HOUR)


@pytest.mark.parametrize(
    "zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut"]
)
@pytest.mark.parametrize("day_times", [("02:30",), ("00:15", "01:15", "02:15", "02:45", "03:15", "03:45")])
def test_each_time_comes_once_a_day_whatever_the_clock_does(zone, day_times):
    """Over a year with both changes of the clock each day has each of its times, none twice, in order."""
    schedule = times(*day_times, zone=zone)
    slots = list(schedule.between(at("2025-12-31 12:00"), at("2027-01-01 12:00")))
    assert len({slot.name for slot in slots}) == len(slots)
    assert [slot.start for slot in slots] == sorted(slot.start for slot in slots)
    a_day = {}
    for slot in slots:
        local = slot.start.astimezone(schedule.zone)
        a_day.setdefault(local.date(), []).append(local)
    whole = list(a_day.values())[1:-1]
    assert len(whole) >= 364
    assert {len(day) for day in whole} == {len(day_times)}


def test_a_skipped_hour_follows_in_the_next():
    """02:30 does not exist on 29 March 2026 in Berlin: it is 03:30, and the time after it waits its turn."""
    schedule = times("02:30", "03:30", zone=BERLIN)
    assert names(schedule, "2026-03-29 00:00", "2026-03-30 00:00") == ["29 01:30", "29 01:31"]
    assert names(schedule, "2026-10-25 00:00", "2026-10-26 00:00") == ["25 00:30", "25 02:30"]


@pytest.mark.parametrize(
    ("slot", "before"),
    [
        ("2026-11-22 08:00", "2026-11-21 08:00"),
        ("2026-03-29 07:00", "2026-03-28 08:00"),  # 23 hours before
        ("2026-10-25 08:00", "2026-10-24 08:00"),  # the same time was 25 hours ago
    ],
)
def test_the_slot_of_a_day_before(slot, before):
    """The same time of the day before, at most 24 hours ago."""
    assert times("09:00", zone=BERLIN).day_before(at(slot)) == at(before)


# ---- spread ----------------------------------------------------------------------------------------------------


def test_posts_are_spread_over_the_waking_hours():
    """Even distances, half a distance from the ends of the waking hours."""
    assert spread(3, "") == (time(4), time(12), time(20))
    assert spread(3, "22:00-07:00") == (time(9, 30), time(14, 30), time(19, 30))
    assert spread(5, "23:00-08:00") == (time(9, 30), time(12, 30), time(15, 30), time(18, 30), time(21, 30))
    assert spread(2, "02:00-10:00") == (time(14), time(22))
    with pytest.raises(ValueError, match="13 posts do not fit into 60 minutes a day"):
        spread(13, "01:00-00:00")


def test_more_slots_than_the_cap_are_spread():
    """MAX_POSTS_PER_DAY=3 with an hourly interval is three posts a day at even distances, not three in a row."""
    assert schedule_of(60, (), 0, "", "", "UTC", 3).times == spread(3, "")
    assert schedule_of(60, (), 0, "", "", "UTC", 24) == Schedule()
    assert schedule_of(5, (), 0, "mon-fri", "", "UTC", 24) == Schedule(0, spread(24, ""), WORK)
    assert schedule_of(30, (), 0, "", "22:00-07:00", "UTC", 30) == Schedule(30, quiet="22:00-07:00")


# ---- what an owner writes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("", EVERY_DAY),
        ("mon-fri", WORK),
        ("Mon - Fri", WORK),
        ("sat,sun", (5, 6)),
        ("fri-mon", (0, 4, 5, 6)),
        ("tuesday, thu-fri", (1, 3, 4)),
        ("wed", (2,)),
    ],
)
def test_days_as_an_owner_writes_them(text, days):
    """Names, lists and ranges, also over the end of the week."""
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["mo", "weekdays", "mon-", "1-5", "mon;fri", "fridays"])
def test_no_days(text):
    """Anything else is refused with the word."""
    with pytest.raises(ValueError, match="is not a day of the week; write mon-fri, or sat,sun"):
        parse_days(text)


def test_days_in_words():
    """Three days in a row are a range."""
    assert days_text(WORK) == "mon-fri"
    assert days_text((0, 1, 4, 5, 6)) == "mon,tue,fri-sun"


@pytest.mark.parametrize("text", ["9", "24:00", "09:60", "9.30", "09:5", "noon", "١٢:٠٠", "-9:00"])
def test_no_time(text):
    """A time of the day has an hour, a colon and two digits."""
    with pytest.raises(ValueError, match="is not a time of the day; write 09:00 or 18:30"):
        require_times((text,))


def test_times_are_ordered_and_apart():
    """Times may come in any order; two within five minutes are refused."""
    assert require_times(("18:00", "9:00")) == ("09:00", "18:00")
    assert require_times(("09:00", "09:05")) == ("09:00", "09:05")
    with pytest.raises(ValueError, match="09:00 and 09:04 are less than 5 minutes apart"):
        require_times(("09:04", "09:00"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((("09:00",), 3, False, "", 24), "POST_TIMES and POSTS_PER_DAY each say when to post: set only one"),
        ((("09:00",), 0, True, "", 24), "POST_TIMES and POST_INTERVAL_MINUTES each say"),
        (((), 3, True, "", 24), "POSTS_PER_DAY and POST_INTERVAL_MINUTES each say"),
        ((("09:00",), 3, True, "", 24), "POST_TIMES, POSTS_PER_DAY and POST_INTERVAL_MINUTES each say"),
        (
            (("09:00", "18:00"), 0, False, "", 1),
            "POST_TIMES asks for 2 posts a day, MAX_POSTS_PER_DAY allows 1",
        ),
        (((), 30, False, "", 24), "POSTS_PER_DAY asks for 30 posts a day, MAX_POSTS_PER_DAY allows 24"),
        ((("09:00", "23:00"), 0, False, "22:00-07:00", 24), "POST_TIMES: 23:00 lies in the QUIET_HOURS"),
        (((), 20, False, "01:00-00:00", 24), "POSTS_PER_DAY: 20 posts do not fit"),
    ],
)
def test_contradictions(given, message):
    """Two ways of saying when, a cap below what is wanted, and a time in the quiet hours are refused."""
    (problem,) = contradictions(*given)
    assert problem.startswith(message)


@pytest.mark.parametrize(
    "given",
    [
        ((), 0, False, "", 24),
        ((), 0, True, "22:00-07:00", 1),
        (("09:00",), 0, False, "22:00-07:00", 1),
        ((), 24, False, "", 24),
    ],
)
def test_no_contradiction(given):
    """One way of saying when is enough."""
    assert list(contradictions(*given)) == []


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(), "every hour (UTC)"),
        (Schedule(480, quiet="22:00-07:00"), "every 480 minutes, not from 22:00 to 07:00 (UTC)"),
        (times("09:00", "13:00", "18:00", days=WORK, zone=BERLIN),
         "at 09:00, 13:00 and 18:00 on mon-fri (Europe/Berlin)"),
        (times(*(f"{hour:02}:00" for hour in range(13))), "13 times a day (UTC)"),
    ],
)  # fmt: skip
def test_words_and_data(schedule, words):
    """A schedule has one sentence for people, and plain data of which the same schedule is made again."""
    assert schedule.describe() == words
    assert Schedule.from_data(schedule.as_data()) == schedule


# ---- the edges -------------------------------------------------------------------------------------------------


def test_the_ends_of_a_span_of_times():
    """A wanted time at the beginning belongs to the span, one at its end does not."""
    assert names(times("09:00", "18:00"), "2026-11-22 09:00", "2026-11-22 18:00") == ["22 09:00"]


def test_a_tweet_at_the_minute_of_a_wanted_time():
    """It filled that slot; a moment later too, and 90 minutes later no more."""
    daily = times("09:00")
    moments = ("09:00:00", "09:00:30", "10:29:59", "10:30:00", "08:59:59")
    slots = [daily.slot_of(at(f"2026-11-22 {moment}")) for moment in moments]
    assert slots == ["2026-11-22T09:00Z"] * 3 + [None] * 2


def test_when_a_slot_opens_again_in_its_middle():
    """After quiet hours within a slot, and after those at its end with the next one."""
    assert Schedule(480, quiet="02:00-03:00").opens_after(at("2026-11-22 02:30")) == at("2026-11-22 03:00")
    assert Schedule(480, quiet="22:00-07:00").opens_after(at("2026-11-22 22:30")) == at("2026-11-23 07:00")


@pytest.mark.parametrize(
    ("schedule", "start", "hours", "opens"),
    [
        # All of it is quiet: nothing better than its start is known.
        (Schedule(60, quiet="22:00-07:00"), "2026-11-22 23:00", 1, "2026-11-22 23:00"),
        # A wanted time opens at its minute, whatever the quiet hours of today say.
        (times("09:00", quiet="08:00-10:00"), "2026-11-22 09:00", 1.5, "2026-11-22 09:00"),
        # Sunday's day of UTC reaches into Monday in Berlin, which is wanted.
        (Schedule(1440, days=(0,), zone_name=BERLIN), "2026-11-22 00:00", 24, "2026-11-22 23:00"),
        # Midnight in Berlin is quiet, half an hour later is not.
        (Schedule(720, quiet="12:00-00:30", zone_name=BERLIN), "2026-11-22 12:00", 12, "2026-11-22 23:30"),
        (Schedule(480, quiet="22:00-07:00"), "2026-11-22 00:00", 8, "2026-11-22 07:00"),
    ],
)
def test_the_first_moment_of_a_slot(schedule, start, hours, opens):
    """A slot opens with its first moment that is awake, on a wanted day."""
    assert schedule.open_from(Window(at(start), at(start) + hours * HOUR)) == at(opens)


def test_twelve_times_are_listed():
    """More than twelve are counted."""
    for count, words in ((12, "at 00:00, 00:05, "), (13, "13 times a day")):
        schedule = Schedule(
            0, tuple(time(0, 5 * number) if number < 12 else time(1) for number in range(count))
        )
        assert schedule.describe().startswith(words)


@pytest.mark.parametrize(
    "change", [{"days": []}, {"days": [9]}, {"zone": "Mars/Olympus"}, {"times": ["25:00"]}]
)
def test_a_damaged_schedule_on_record(change):
    """Data that makes no schedule, or one without a slot, is refused as values are."""
    with pytest.raises((ValueError, KeyError)):
        Schedule.from_data({**times("09:00").as_data(), **change})
    assert Schedule.from_data(times("09:00").as_data()) == times("09:00")


def test_each_way_to_say_when():
    """Only a schedule of intervals has one: the others leave 0 on record."""
    ways = [(60, ("09:00",), 0, 24), (60, (), 3, 24), (5, (), 0, 24), (60, (), 0, 24)]
    made = [schedule_of(interval, when, count, "", "", "UTC", cap) for interval, when, count, cap in ways]
    assert [schedule.interval for schedule in made] == [0, 0, 0, 60]
    assert [len(schedule.times) for schedule in made] == [1, 3, 24, 0]


@pytest.mark.parametrize(
    ("count", "quiet", "spread_out"),
    [
        (1, "", "12:00"),
        (2, "", "06:00 18:00"),
        (3, "22:30-07:15", "09:47 14:52 19:57"),
        (2, "23:00-01:00", "06:30 17:30"),
        (2, "10:00-22:00", "01:00 07:00"),
    ],
)
def test_times_spread_over_the_waking_hours(count, quiet, spread_out):
    """Equal distances, half of one from either end, to the minute before."""
    assert " ".join(f"{moment:%H:%M}" for moment in spread(count, quiet)) == spread_out


def test_the_least_distance_of_spread_times():
    """Exactly five minutes fit."""
    assert len(spread(288, "")) == 288
    with pytest.raises(ValueError, match="289 posts do not fit into 1440 minutes a day"):
        spread(289, "")


@pytest.mark.parametrize(
    "text",
    [
        "9",
        "0900",
        "09:0",
        "09:000",
        "24:00",
        "09:60",
        "٠9:00",
        "09:٠0",
        "x9:00",
        "09:x0",
        "-1:00",
        ":00",
        "09:",
    ],
)
def test_what_is_no_time(text):
    """Digits of other scripts are none here, nor is anything else."""
    with pytest.raises(ValueError, match="is not a time of the day"):
        parse_time(text)


def test_times_over_an_hour_apart_by_the_clock():
    """The distance counts in minutes, over a full hour too."""
    assert require_times(("09:58", "10:03")) == ("09:58", "10:03")
    for near in (("09:58", "10:02"), ("09:00", "09:04")):
        with pytest.raises(ValueError, match="less than 5 minutes apart"):
            require_times(near)


def test_one_post_in_the_last_minutes_of_a_day():
    """Without POSTS_PER_DAY the waking hours must have room for one post."""
    assert list(contradictions((), 0, False, "00:06-00:00", 24)) == []
    assert len(list(contradictions((), 2, False, "00:06-00:00", 24))) == 1


def test_days_as_they_are_written():
    """A text that names days comes back as it is; any other is refused."""
    assert [require_days(text) for text in ("", "mon-fri", "Sat, sunday")] == ["", "mon-fri", "Sat, sunday"]
    assert parse_days("") == EVERY_DAY == (0, 1, 2, 3, 4, 5, 6)
    with pytest.raises(ValueError, match="'m' is not a day of the week"):
        require_days("m")
