"""Threads: order, errors where they belong, and no thread that waits for ever."""

import threading

import pytest

from perpixel.prediction.pipeline import Consumer, Interrupted, ahead


def test_items_come_in_order_and_an_error_at_its_place():
    def items():
        yield from range(5)
        raise ValueError("sixth")

    ready = ahead(items(), 2)
    assert [next(ready) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="sixth"):
        next(ready)


def test_closing_early_stops_the_thread():
    before = threading.active_count()
    endless = ahead(iter(int, 1), 1)
    assert next(endless) == 0
    endless.close()
    assert threading.active_count() == before


def test_a_consumer_sees_every_item():
    seen = []
    with Consumer(seen.extend) as consumer:
        for item in range(100):
            consumer.put(item)
    assert seen == list(range(100))


def test_an_error_of_the_consumer_is_raised():
    def consume(items):
        next(items)
        raise OSError("disk full")

    def feed():
        with Consumer(consume) as consumer:
            for item in range(100):
                consumer.put(item)

    with pytest.raises(OSError, match="disk full"):
        feed()


def test_an_error_of_the_maker_reaches_the_consumer_as_an_interruption():
    ends = []

    def consume(items):
        try:
            list(items)
        except Interrupted:
            ends.append("interrupted")
            raise

    def feed():
        with Consumer(consume) as consumer:
            consumer.put(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feed()
    assert ends == ["interrupted"]
