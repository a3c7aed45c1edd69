"""The command reconcile: it looks once, or takes a person's word."""

import json

import pytest

from src.system.lock import writer_lock
from tests import fake_x
from tests.support.world import World


@pytest.fixture
def still(tmp_path):
    """A world in real time, which subprocesses share, with one lost post."""
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={"POST_INTERVAL_MINUTES": "1440", "CANDIDATES": "0", "RECONCILE_DELAYS_SECONDS": "0.01"},
        )
        x.tweet_by_hand("An old tweet.")
        x.accepted[0].at -= 2 * 86400
        x.accepted[0].id -= (2 * 86400 * 1000) << 22
        x.owners[x.accepted[0].id] = x.credentials.user_id
        yield world


def lost(world, *, made):
    world.x.on_post(fake_x.close(accept=made))
    world.x.on_get(fake_x.ok())
    world.x.always_get = fake_x.stale()
    assert world.cli().returncode == 76
    world.x.always_get = None
    return str(world.ours()[0]["id"])


def test_reconcile_finds_a_lost_post(still):
    """`reconcile` looks once, says what it found, and exits 0."""
    post_id = lost(still, made=True)
    done = still.cli("reconcile")
    assert (done.returncode, done.stdout) == (0, f"post {post_id}: posted\nnothing is open\n")
    still.check_promise()


def test_reconcile_leaves_open_what_it_cannot_settle(still):
    """Without proof the post stays unknown and the exit code is 76; --json says the same."""
    post_id = lost(still, made=False)
    done = still.cli("reconcile", "--json")
    assert done.returncode == 76
    data = json.loads(done.stdout)
    assert (data["settled"], [post["id"] for post in data["open"]]) == ([], [int(post_id)])
    assert still.cli("status").returncode == 76


def test_reconcile_by_hand(still):
    """A person's word settles a post either way; the slot stays used."""
    post_id = lost(still, made=False)
    done = still.cli("reconcile", post_id, "--not-posted")
    assert (done.returncode, still.statuses()[-1]) == (0, "failed")
    assert still.cli().returncode == 0
    assert still.x.texts() == []
    late = still.x.store(still.ours()[0]["content"]).id
    again = still.cli("reconcile", post_id, "--posted", str(late))
    assert (again.returncode, still.ours()[0]["tweet_id"], still.ours()[0]["resolved_by"]) == (
        0,
        late,
        "operator",
    )


def test_a_mistyped_tweet_id(still):
    """An id of another time, of another tweet or of none is refused with both times (2), and changes nothing."""
    post_id = lost(still, made=True)
    other = still.x.tweet_by_hand("Quite another text.")
    for wrong in ("9102038480786817025", "20", "1456012973835788293"):
        done = still.cli("reconcile", post_id, "--posted", wrong)
        assert done.returncode == 2
        assert f"tweet {wrong} was made at " in done.stderr
        assert f"post {post_id} was sent at 20" in done.stderr
    for wrong, reason in ((other, "has another text"), (other + (1 << 22), "is not on the timeline")):
        done = still.cli("reconcile", post_id, "--posted", str(wrong))
        assert done.returncode == 2
        assert reason in done.stderr
    assert still.ours()[0]["status"] == "unknown"


def test_a_tweet_id_is_taken_back(still):
    """A person's word about a tweet id can be taken back, and given again; X's own word cannot."""
    post_id = lost(still, made=True)
    assert still.cli("reconcile", post_id, "--take-back").returncode == 2
    still.x.always_get = fake_x.stale()
    wrong = str(still.x.accepted[-1].id + (60_000 << 22))
    still.x.always_get = fake_x.not_found()  # nobody can look: the person's word counts
    assert still.cli("reconcile", post_id, "--posted", wrong).returncode == 0
    still.x.always_get = None
    done = still.cli("reconcile", post_id, "--take-back")
    first, second, fix = done.stdout.splitlines()
    assert (done.returncode, first) == (76, f"post {post_id}: unconfirmed")
    assert second.startswith(f"post {post_id} is open: sent at ")
    assert f"reconcile {post_id} --posted TWEET_ID" in fix
    assert still.cli("reconcile", post_id, "--posted", str(still.x.accepted[-1].id)).returncode == 0
    assert still.ours()[0]["tweet_id"] == still.x.accepted[-1].id
    still.check_promise()


def test_reconcile_by_hand_refuses_nonsense(still):
    """A post that is not open, is not there, or a tweet of another post is refused with exit 2 and a way on."""
    post_id = lost(still, made=True)
    taken = still.rows("SELECT tweet_id FROM posts WHERE origin = 'import'")[0]["tweet_id"]
    for arguments in (("999", "--not-posted"), (post_id, "--posted", str(taken))):
        done = still.cli("reconcile", *arguments)
        assert done.returncode == 2
        assert "fix:" in done.stderr
    assert still.cli("reconcile", post_id, "--posted", str(still.x.accepted[-1].id)).returncode == 0
    assert still.cli("reconcile", post_id, "--not-posted").returncode == 2


def test_reconcile_waits_for_a_run(still):
    """While another run holds the lock, `reconcile` refuses."""
    lost(still, made=True)
    with writer_lock(still.database) as ours:
        assert ours
        assert still.cli("reconcile").returncode == 2
